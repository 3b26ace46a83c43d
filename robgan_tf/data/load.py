"""Opens a dataset by name and divides it into train, validation and test images."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from robgan_tf.choices import DATASETS
from robgan_tf.config.groups import DATASET_AUGMENTATIONS
from robgan_tf.data.augmentation import storage_side
from robgan_tf.data.dataset_kind import DatasetRequest
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.splits import choose_training_subset, hold_out_validation
from robgan_tf.errors import UserError, shortened

# The kind of a data set whose name is that of no kind.
ANY_OTHER = "tfds"


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
    reading: str = "served",
    kept_in: str = "auto",
    class_names: Sequence[str] | None = None,
) -> ImageData:
    """Opens a dataset.

    The validation slice depends on the dataset's name, its labels and `split_seed` only,
    not on `train_examples`.

    Args:
      dataset: Name of a module of `data.datasets`, such as "digits", or of a TensorFlow Datasets
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
      reading: how stored images become pixels, one of `config.groups.READINGS`.
      kept_in: where images of TensorFlow Datasets are kept, one of `config.groups.KEPT_IN`.
      class_names: the classes that a model was trained on, which the data has to have in this
        order; None for any.

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
    request = DatasetRequest(
        dataset=dataset,
        resolution=resolution,
        storage=storage_side(resolution, augmentation),
        channels=channels,
        num_classes=num_classes,
        data_dir=data_dir,
        train_split=train_split,
        test_split=test_split,
        reading=reading,
        kept_in=kept_in,
    )
    opened = DATASETS.get(dataset if dataset in DATASETS else ANY_OTHER).open(request)
    name, train = opened.name, opened.train
    if class_names is not None:
        _check_names(train.class_names, class_names)
    request.check_classes(train.class_names)

    held_out = hold_out_validation(
        train.labels, validation_examples, train.class_names, dataset=name, split_seed=split_seed
    )
    validation = opened.validation_of(held_out)
    if len(held_out):
        train = train.subset(np.setdiff1d(np.arange(len(train)), held_out))
    if train_examples is not None:
        train = train.subset(
            choose_training_subset(
                train.labels, train_examples, train.class_names, dataset=name, split_seed=split_seed
            )
        )
    train.check_every_class_is_readable()
    description = (
        f"{dataset}: {len(train)} training, {len(validation)} validation and {len(opened.test)} "
        f"test images of {resolution}x{resolution}x{channels} in {num_classes} classes"
    )
    return ImageData(train, validation, opened.test, train.class_names, description)


def _check_names(found: Sequence[str], trained_on: Sequence[str]) -> None:
    """Refuses data of other classes: a label would mean another class."""
    found, trained_on = list(found), list(trained_on)
    if found == trained_on:
        return
    new = [name for name in found if name not in trained_on]
    lost = [name for name in trained_on if name not in found]
    differences = [f"{_some(new)} new"] if new else []
    differences += [f"{_some(lost)} missing"] if lost else []
    raise UserError(
        f"the data has other classes than the run was trained on ({len(found)} here and "
        f"{len(trained_on)} there): {'; '.join(differences) or 'their order is another'}. Give the "
        "data of the run (--data_dir)"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(shortened(name)) for name in names[:3])
    return f"{shown}{', ...' if len(names) > 3 else ''} {'is' if len(names) == 1 else 'are'}"
