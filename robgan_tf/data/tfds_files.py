"""What the files of a prepared data set of TensorFlow Datasets may name.

Its features.json says by which classes its features are read, and TensorFlow Datasets imports the
module of each: a data set that somebody hands over would choose what is run.
"""

import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from robgan_tf.errors import UserError, one_line

_FILE = "features.json"
_OWN = "tensorflow_datasets."
# The second is that of TensorFlow Datasets before 4.5.
_KEYS = ("pythonClassName", "type")


def check_feature_classes(name: str, data_dir: str | None) -> None:
    """Refuses a data set that names classes of other modules than those of TensorFlow Datasets.

    Modules that are imported already, by an extension say, are let pass.

    Args:
      name: of the data set, such as "cifar10:3.0.2".
      data_dir: where it is prepared; None for the default.

    Raises:
      UserError: if it does, or its file cannot be read.
    """
    import tensorflow_datasets as tfds

    root = pathlib.Path(os.path.expanduser(data_dir or tfds.core.constants.DATA_DIR))
    folder = root / re.split("[:/]", name)[0]
    for path in sorted(folder.rglob(_FILE)):
        try:
            named = [*_classes(json.loads(path.read_text()))]
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{path} cannot be read: {one_line(error)} (--data_dir)") from error
        for class_name in named:
            module = class_name.rpartition(".")[0]
            if not class_name.startswith(_OWN) and module not in sys.modules:
                raise UserError(
                    f"{path} names the class {class_name!r}, and only those of TensorFlow Datasets "
                    "are imported for a data set; import your own in an --extension"
                )


def _classes(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from (value[key] for key in _KEYS if "." in str(value.get(key)))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
