"""The flag that every command that reads data has."""

import os

from absl import flags

DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data is; TFDS_DATA_DIR or the TFDS default if not given."
)


def data_dir():
    """Where the data is, or None."""
    return DATA_DIR.value or os.environ.get("TFDS_DATA_DIR")
