"""What TensorFlow Datasets has to know of record files to read them."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from robgan_tf.data.preparation.picture import StoredForm

VERSION = "1.0.0"


class Identity(NamedTuple):
    """A data set that is to be.

    Attributes:
      name: of the data set.
      config: of its form.
      description: sentences on it.
      homepage: of its images, or "".
    """

    name: str
    config: str
    description: str
    homepage: str = ""

    def folder(self, data_dir: str) -> pathlib.Path:
        """Where it is once it is prepared."""
        return pathlib.Path(data_dir) / self.name / self.config / VERSION


def features_of(class_names: Sequence[str], form: StoredForm) -> Any:
    """The features of TensorFlow Datasets: id, image and label."""
    import tensorflow_datasets as tfds

    shape = (None, None, form.channels)
    return tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=shape, encoding_format=form.encoding),
            "label": tfds.features.ClassLabel(names=list(class_names)),
        }
    )


def write_metadata(
    folder: pathlib.Path,
    identity: Identity,
    features: Any,
    shards: Mapping[str, Sequence[tuple[int, int]]],
) -> None:
    """Writes dataset_info.json, features.json and the labels into the folder of record files.

    Args:
      folder: of the record files.
      identity: of the data set.
      features: of its examples.
      shards: (records, bytes) of each record file, by split.
    """
    import tensorflow_datasets as tfds

    info = tfds.core.DatasetInfo(
        builder=tfds.core.DatasetIdentity(
            name=identity.name,
            version=tfds.core.Version(VERSION),
            data_dir=os.fspath(folder),
            module_name="",
            config_name=identity.config,
            config_description="",
        ),
        description=identity.description,
        features=features,
        supervised_keys=("image", "label"),
        homepage=identity.homepage or None,
    )
    info.set_file_format(tfds.core.FileFormat.TFRECORD)
    info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[records for records, _ in files],
                    num_bytes=sum(size for _, size in files),
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=folder,
                        dataset_name=identity.name,
                        split=split,
                        filetype_suffix="tfrecord",
                    ),
                )
                for split, files in shards.items()
            ]
        )
    )
    info.write_to_directory(folder)
