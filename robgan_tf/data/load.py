"""Opens a dataset by name and divides it into train, validation and test images."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from robgan_tf.config.groups import DATASET_AUGMENTATIONS
from robgan_tf.data.datasets.digits import load_digits
from robgan_tf.data.datasets.image_folder import FolderSource, load_image_folder
from robgan_tf.data.datasets.tfds import TfdsClassification, storage_side
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.splits import choose_training_subset, hold_out_validation
from robgan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class ImageData:
    """The images of a run.

    Attributes:
      train: `ImageSource` to train on.
      validation: `ImageSource` held out of the training split; may be empty.
      test: `ImageSource` of the test split.
      class_names: tuple of strings; a label is an index into it.
      description: one line for the log.
    """

    train: ImageSource
    validation: ImageSource
    test: ImageSource
    class_names: tuple[str, ...]
    description: str


# Name, training images, the function from positions to validation images, test images.
_Opened = tuple[str, ImageSource, Callable[[np.ndarray], ImageSource], ImageSource]


def load_image_data(
    dataset: str,
    *,
    resolution: int,
    channels: int,
    num_classes: int,
    data_dir: str | None = None,
    augmentation: str = "none",
    train_split: str = "train",
    test_split: str = "test",
    validation_examples: int = 0,
    train_examples: int | None = None,
    split_seed: int = 0,
) -> ImageData:
    """Opens a dataset.

    The validation slice depends on the dataset's name, its labels and `split_seed` only,
    not on `train_examples`.

    Args:
      dataset: "digits", "image_folder", or the name of a TensorFlow Datasets
        classification dataset such as "cifar10" or "cifar10:3.0.2".
      resolution: side of the images in pixels; images of other sizes are cut to their
        centre square and resized.
      channels: channels of the images.
      num_classes: the number of classes the dataset must have.
      data_dir: folder of the images, or of prepared TensorFlow Datasets; None for the
        TensorFlow Datasets default.
      augmentation: the one of `DATASET_AUGMENTATIONS` that training will use.
      train_split: name of the training split or of its folder; not used for digits.
      test_split: name of the test split or of its folder; not used for digits.
      validation_examples: size of the class-balanced slice held out for validation.
      train_examples: size of a class-balanced subset to train on; None for all.
      split_seed: chooses which examples are held out and kept.

    Returns:
      An `ImageData`.

    Raises:
      UserError: the data cannot be used as asked; the message says why.
    """
    if augmentation not in DATASET_AUGMENTATIONS:
        raise UserError(
            f"unknown augmentation {augmentation!r}: give one of "
            + ", ".join(DATASET_AUGMENTATIONS)
        )
    side = storage_side(resolution, augmentation)
    if dataset == "digits":
        name, train, validation_of, test = _open_digits(resolution, side, channels)
    elif dataset == "image_folder":
        train, test = load_image_folder(
            data_dir, train_split, test_split, resolution=resolution, channels=channels
        )
        name, validation_of = dataset, train.subset
    else:
        name, train, validation_of, test = _open_tfds(
            dataset, data_dir, train_split, test_split, resolution, side, channels, num_classes
        )
    _check_classes(dataset, train.class_names, num_classes)

    held_out = hold_out_validation(
        train.labels, validation_examples, train.class_names, dataset=name, split_seed=split_seed
    )
    validation = validation_of(held_out)
    if len(held_out):
        train = train.subset(np.setdiff1d(np.arange(len(train)), held_out))
    if train_examples is not None:
        train = train.subset(
            choose_training_subset(
                train.labels, train_examples, train.class_names, dataset=name, split_seed=split_seed
            )
        )
    if isinstance(train, FolderSource):
        train.check_every_class_is_readable()
    description = (
        f"{dataset}: {len(train)} training, {len(validation)} validation and {len(test)} test "
        f"images of {resolution}x{resolution}x{channels} in {num_classes} classes"
    )
    return ImageData(train, validation, test, train.class_names, description)


def _open_digits(resolution: int, side: int, channels: int) -> _Opened:
    if channels != 1:
        raise UserError(f"digits has 1 channel, but data.channels is {channels}: set it to 1")
    train, test = load_digits(resolution, side)
    # Only training crops need the larger images; the rest is shown as the test split is.
    plain_train, _ = load_digits(resolution, resolution)
    return "digits", train, plain_train.subset, test


def _open_tfds(
    dataset: str,
    data_dir: str | None,
    train_split: str,
    test_split: str,
    resolution: int,
    side: int,
    channels: int,
    num_classes: int,
) -> _Opened:
    opened = TfdsClassification(dataset, data_dir, resolution=resolution, channels=channels)
    _check_classes(dataset, opened.class_names, num_classes)
    lengths = opened.split_length(train_split), opened.split_length(test_split)
    for split, length in zip((train_split, test_split), lengths, strict=True):
        if not length:
            raise UserError(f"the split {split!r} of the dataset {dataset} has no images")
    opened.check_memory([(lengths[0], side), (lengths[1], resolution)])
    train = opened.load(train_split, side)

    def validation_of(held_out: np.ndarray) -> ImageSource:
        if side == resolution:
            return train.subset(held_out)
        return opened.load_later(train_split, resolution, keep=held_out)

    return opened.name, train, validation_of, opened.load_later(test_split, resolution)


def _check_classes(dataset: str, class_names: Sequence[str], num_classes: int) -> None:
    if len(class_names) != num_classes:
        raise UserError(
            f"the dataset {dataset} has {len(class_names)} classes, but data.num_classes is "
            f"{num_classes}: set data.num_classes to {len(class_names)}"
        )
