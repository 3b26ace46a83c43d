"""What has been measured so far, kept piece by piece: a comparison that was stopped goes on."""

import json
import pathlib
from collections.abc import Callable

from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.typing import JsonObject, PathLike


class Pieces:
    """Pieces of one comparison on disk.

    Args:
      folder: where they are kept; created if it does not exist.
      identity: JSON-able dict of everything that determines them.

    Raises:
      UserError: if the folder holds pieces of another comparison.
    """

    def __init__(self, folder: PathLike, identity: JsonObject) -> None:
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "identity.json"
        if path.exists():
            if read_object(path, "give another --work_dir") != identity:
                raise UserError(
                    f"{self._folder} holds pieces of another comparison: give another --work_dir"
                )
        else:
            write_atomically(path, json.dumps(identity, indent=1) + "\n")

    def get(self, name: str, measure: Callable[[], JsonObject]) -> JsonObject:
        """Returns a piece: the stored one, or what `measure` returns, then stored."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            write_atomically(path, json.dumps(measure()))
        return read_object(path, "remove it, and it is measured anew")
