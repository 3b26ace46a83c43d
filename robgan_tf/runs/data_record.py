"""What a run says of its data, so that its models can be used where the data is not: data.json."""

import dataclasses
import json
import pathlib
from typing import Self

from robgan_tf.errors import UserError
from robgan_tf.files import PathLike, write_atomically
from robgan_tf.json_file import read_object

FILE_NAME = "data.json"


@dataclasses.dataclass(frozen=True)
class DataRecord:
    """The data of a run.

    Attributes:
      class_names: a label is an index into it.
      image_shape: (H, W, C).
      description: one line on the images found; a run is continued on no others.
      fingerprint: of the training images' content, as `ImageSource.content_digest` gives it; "" in
        place of it where nobody looked at them.
    """

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    description: str
    fingerprint: str = ""

    def write(self, run_dir: PathLike) -> None:
        """Stores the record in a run directory."""
        text = json.dumps(dataclasses.asdict(self), indent=1) + "\n"
        write_atomically(pathlib.Path(run_dir) / FILE_NAME, text)

    @classmethod
    def read(cls, run_dir: PathLike) -> Self | None:
        """The record of a run directory; None in one that an earlier version made.

        Raises:
          UserError: if it cannot be read.
        """
        path = pathlib.Path(run_dir) / FILE_NAME
        if not path.exists():
            return None
        stored = read_object(path)
        try:
            return cls(
                tuple(stored["class_names"]),
                tuple(stored["image_shape"]),
                stored["description"],
                stored["fingerprint"],
            )
        except (TypeError, KeyError) as error:
            raise UserError(f"{path} cannot be read: {error!r}") from error
