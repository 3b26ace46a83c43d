"""Classification datasets of TensorFlow Datasets, decoded once into memory."""

import contextlib
import difflib
import importlib
import io
import logging as python_logging
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import tensorflow as tf
from google.protobuf.json_format import ParseError
from typing_extensions import override

from robgan_tf.choices import DATASETS
from robgan_tf.data.dataset_kind import DatasetKind, DatasetRequest, OpenedDataset
from robgan_tf.data.preparation import imagenet143
from robgan_tf.data.preparation.record import is_prepared_for
from robgan_tf.data.record_index import index_of_split
from robgan_tf.data.records import RecordSource
from robgan_tf.data.sources import ImageSource, InMemorySource, LazySource, fingerprint
from robgan_tf.data.tfds_decoding import decoder
from robgan_tf.data.tfds_features import check_images, class_names_of, is_text
from robgan_tf.data.tfds_files import check_feature_classes
from robgan_tf.errors import UserError, one_line

_MEMORY_FRACTION = 0.7  # of the available memory; the rest is for the training itself
# Of decoded pixels: more are not held unless it is asked for. The same on every machine, as a run
# that crops images sees slightly others of files than of memory.
_HELD_BYTES = 4 * 2**30
_READ_BATCH = 500  # images
_DOWNLOAD_RETRIES = 2  # TFDS's 10 take more than three minutes without a network
_DECODE_CALLS = max(2, os.cpu_count() or 2)


class TfdsClassification:
    """A prepared dataset with an image and a label for each example.

    Args:
      name: name that `tfds.builder` understands, such as "cifar10" or "cifar10:3.0.2".
      data_dir: folder of prepared datasets; None for TFDS's own default.
      resolution: side of the fetched images in pixels.
      channels: channels the images must have.
      reading: how stored images become pixels, one of `config.groups.READINGS`.

    Attributes:
      name: name of the dataset and its configuration, without version.
      class_names: tuple of strings.

    Raises:
      UserError: the dataset is unknown, neither prepared nor downloadable, or does not
        hold 8-bit images of `channels` channels, or files that can be made so, with one class
        label each.
    """

    def __init__(
        self,
        name: str,
        data_dir: str | None,
        *,
        resolution: int,
        channels: int,
        reading: str = "served",
    ) -> None:
        self._builder = _prepared_builder(name, data_dir)
        self._reading = reading
        self._resolution = resolution
        self._channels = channels
        info = self._builder.info
        self.name = info.name + (f"/{info.config_name}" if info.config_name else "")
        self.class_names = class_names_of(name, info.features)
        check_images(name, info.features["image"], channels)
        self._has_ids = "id" in info.features and is_text(info.features["id"])

    def split_length(self, split: str) -> int:
        """Returns the number of examples of `split`; UserError when there is no such split."""
        splits = self._builder.info.splits
        try:
            return splits[split].num_examples
        except (KeyError, ValueError) as error:
            sizes = ", ".join(f"{name} ({splits[name].num_examples} images)" for name in splits)
            raise UserError(
                f"the dataset {self.name} has no split {split!r}: it has {sizes}"
            ) from error

    def reads_files(self, kept_in: str, needed: int) -> bool:
        """Whether images are read from the record files when they are needed.

        Args:
          kept_in: what is asked for, one of `config.groups.KEPT_IN`.
          needed: bytes of all decoded images.

        Raises:
          UserError: that is asked for and cannot be done.
        """
        if kept_in == "memory" or (kept_in == "auto" and needed <= _HELD_BYTES):
            return False
        why_not = self._why_not_files()
        if why_not and kept_in == "files":
            raise UserError(f"data.kept_in = 'files': {why_not}; set it to 'memory'")
        return not why_not

    def _why_not_files(self) -> str:
        """Why images cannot be read one by one; empty if they can."""
        import tensorflow_datasets as tfds

        info = self._builder.info
        if info.file_format != tfds.core.FileFormat.TFRECORD:
            return f"the dataset {self.name} is stored as {info.file_format.value}, not as tfrecord"
        if not isinstance(info.features["image"], tfds.features.Image):
            return f"the images of the dataset {self.name} are stored as numbers, not encoded"
        if self._reading != "served":
            return f"data.reading = {self._reading!r} is of images in memory"
        return ""

    def records(self, split: str) -> RecordSource:
        """Opens a split to be read from its record files.

        Raises:
          UserError: a file is damaged.
        """
        return RecordSource(
            index_of_split(self._builder, split),
            self.class_names,
            self._resolution,
            self._channels,
            is_prepared_for(self._builder.data_dir, self._resolution),
        )

    def check_memory(self, needed: int) -> None:
        """Checks that images fit into memory, before any is decoded.

        Args:
          needed: bytes of all decoded images.

        Raises:
          UserError: they need more than `_MEMORY_FRACTION` of the available memory.
        """
        available = psutil.virtual_memory().available
        if needed > _MEMORY_FRACTION * available:
            raise UserError(
                f"the dataset {self.name} needs {needed / 1e9:.1f} GB of memory as "
                f"{self._resolution}x{self._resolution} images, more than {_MEMORY_FRACTION:.0%} "
                f"of the {available / 1e9:.1f} GB available: use data.kept_in = 'files', a lower "
                "data.resolution, or dataset image_folder"
            )

    def load(self, split: str, side: int, keep: np.ndarray | None = None) -> InMemorySource:
        """Decodes a split.

        Args:
          split: name of the split.
          side: side in pixels at which the images are kept.
          keep: None for all, or sorted int array: only these positions in stored order.

        Returns:
          An `InMemorySource`.

        Raises:
          UserError: a record of the dataset is damaged.
        """
        count = self.split_length(split)
        wanted = None
        if keep is not None:
            wanted = np.zeros(count, bool)
            wanted[keep] = True
            count = len(keep)
        pixels = np.empty([count, side, side, self._channels], np.uint8)
        labels = np.empty([count], np.int32)
        ids = np.empty([count], object) if self._has_ids else None
        fingerprints = np.empty([count], np.int64)
        done = 0
        try:
            for batch in self._decoded(split, side, wanted):
                end = done + len(batch["label"])
                pixels[done:end], labels[done:end] = batch["image"], batch["label"]
                fingerprints[done:end] = (
                    batch["fingerprint"]
                    if "fingerprint" in batch
                    else [fingerprint(image) for image in batch["image"]]
                )
                if ids is not None:
                    # Any bytes may be an id; those that are no text are shown as escapes.
                    ids[done:end] = [x.decode(errors="backslashreplace") for x in batch["id"]]
                done = end
        except (
            tf.errors.DataLossError,
            tf.errors.InvalidArgumentError,
            tf.errors.UnknownError,
        ) as error:
            raise UserError(
                f"the prepared dataset {self.name} in {self._builder.data_dir} is damaged, split "
                f"{split!r} after {done} images ({one_line(error)}): prepare it again"
            ) from error
        return InMemorySource(
            pixels,
            labels,
            self.class_names,
            self._resolution,
            ids=None if ids is None else ids.astype(str),
            fingerprints=fingerprints,
        )

    def load_later(self, split: str, side: int, keep: np.ndarray | None = None) -> LazySource:
        """Like `load`, but decodes the split when it is first used.

        Args:
          split: name of the split.
          side: side in pixels at which the images are kept.
          keep: as in `load`.
        """
        length = self.split_length(split) if keep is None else len(keep)
        return LazySource(
            lambda: self.load(split, side, keep),
            length,
            self.class_names,
            self._resolution,
            self._channels,
        )

    def _decoded(
        self, split: str, side: int, wanted: np.ndarray | None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields dicts of "image", uint8 `[n, side, side, c]`, "label", "id", in stored order.

        Where images are changed on the way, "fingerprint" is of those that are stored.
        """
        import tensorflow_datasets as tfds

        feature = self._builder.info.features["image"]
        # Small images of one size are decoded fastest by TFDS itself, in one map.
        fitting = feature.shape == (side, side, self._channels)
        if self._reading == "served":
            # Its JPEG decoder is another one.
            fitting &= getattr(feature, "encoding_format", None) != "jpeg"
        decode = None if fitting else decoder(feature, side, self._channels, self._reading)
        by_tfds = fitting or isinstance(feature, tfds.features.Tensor)
        with _quiet():
            examples = self._builder.as_dataset(
                split=split,
                shuffle_files=False,
                decoders=tfds.decode.PartialDecoding(
                    {"image": True, "label": True, **({"id": True} if self._has_ids else {})},
                    decoders=None if by_tfds else {"image": tfds.decode.SkipDecoding()},
                ),
                read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
            )
        if wanted is not None:
            kept = tf.constant(wanted)
            examples = examples.enumerate().filter(lambda index, _: kept[index])
            examples = examples.map(lambda _, example: example)
        if decode is not None:
            examples = examples.map(decode, num_parallel_calls=_DECODE_CALLS, deterministic=True)
        return examples.batch(_READ_BATCH).prefetch(2).as_numpy_iterator()


def _prepared_builder(name: str, data_dir: str | None) -> Any:
    # Without this, TFDS may ask a Google metadata server, which stalls outside Google.
    os.environ.setdefault("NO_GCE_CHECK", "true")
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import gcs_utils

    # So it is in later ones. Those of TensorFlow 2.15 would ask Google's storage about a dataset
    # that is not prepared, which takes minutes without a network.
    gcs_utils._is_gcs_disabled = True
    check_feature_classes(name, data_dir)
    if re.split("[:/]", name)[0] == imagenet143.NAME:
        # Which TensorFlow Datasets knows from then on.
        importlib.import_module("robgan_tf.data.preparation.builder")
    try:
        with _quiet():
            builder = tfds.builder(name, data_dir=data_dir)
            prepared = builder.is_prepared()
    except tfds.core.DatasetNotFoundError as error:
        close = difflib.get_close_matches(
            re.split("[:/]", name)[0], tfds.list_builders(with_community_datasets=False), n=3
        )
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise UserError(
            f"unknown dataset {name!r}{hint}{DATASETS.origin(name)}: give {_other_kinds()}, or the "
            "name of a TensorFlow Datasets classification dataset such as cifar10"
        ) from error
    except (
        *(ValueError, AssertionError, TypeError, RuntimeError, ImportError),
        ParseError,
    ) as error:
        raise UserError(f"cannot open the dataset {name!r}: {one_line(error)}") from error
    if not prepared:
        if made_by := getattr(builder, "made_by", ""):
            raise UserError(f"the dataset {name} is not prepared in {builder.data_dir}: {made_by}")
        _download(builder, name)
    return builder


def _other_kinds() -> str:
    return ", ".join(kind for kind in DATASETS.names() if DATASETS.get(kind) is not CHOICE)


def _download(builder: Any, name: str) -> None:
    from tensorflow_datasets.core.download import downloader

    retries = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = _DOWNLOAD_RETRIES
    try:
        with _quiet():
            builder.download_and_prepare()
    # Whatever a dataset's own download code raises, the remedy is the same.
    except Exception as error:
        raise UserError(
            f"the dataset {name} is not prepared in {builder.data_dir}, and downloading it "
            f"failed ({one_line(error)}): pass --data_dir (or set TFDS_DATA_DIR to) a folder "
            "that holds a prepared copy"
        ) from error
    finally:
        downloader.MAX_RETRIES = retries


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps progress bars and warnings of TFDS and its HTTP library off the screen."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    loggers = [python_logging.getLogger(name) for name in ("absl", "urllib3.connectionpool")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(python_logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class Tfds(DatasetKind):
    """Any data set of images with one label each, by its name in TensorFlow Datasets."""

    @override
    def open(self, request: DatasetRequest) -> OpenedDataset:
        resolution, storage, name = request.resolution, request.storage, request.dataset
        opened = TfdsClassification(
            name,
            request.data_dir,
            resolution=resolution,
            channels=request.channels,
            reading=request.reading,
        )
        request.check_classes(opened.class_names)
        lengths = {
            split: opened.split_length(split) for split in (request.train_split, request.test_split)
        }
        for split, length in lengths.items():
            if not length:
                raise UserError(f"the split {split!r} of the dataset {name} has no images")
        pixels = (
            lengths[request.train_split] * storage**2 + lengths[request.test_split] * resolution**2
        )
        needed = pixels * request.channels
        if opened.reads_files(request.kept_in, needed):
            records = opened.records(request.train_split)
            test_records = opened.records(request.test_split)
            return OpenedDataset(opened.name, records, test_records, records.subset)
        opened.check_memory(needed)
        train = opened.load(request.train_split, storage)

        def validation_of(held_out: np.ndarray) -> ImageSource:
            if storage == resolution:
                return train.subset(held_out)
            return opened.load_later(request.train_split, resolution, keep=held_out)

        test = opened.load_later(request.test_split, resolution)
        return OpenedDataset(opened.name, train, test, validation_of)


CHOICE = Tfds()
