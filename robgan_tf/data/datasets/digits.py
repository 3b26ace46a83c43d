"""The scikit-learn digits: 1,797 handwritten digits that need no download."""

import numpy as np
from PIL import Image
from typing_extensions import override

from robgan_tf.data.dataset_kind import DatasetKind, DatasetRequest, OpenedDataset
from robgan_tf.data.sources import ImageSource, InMemorySource, fingerprint
from robgan_tf.errors import UserError

_LARGEST_VALUE = 16  # the pixels are counts from 0 to 16
_TEST_EVERY = 5  # every fifth example of each class, 20 %


def load_digits(resolution: int, storage: int) -> tuple[ImageSource, ImageSource]:
    """Loads the digits, split into training and test examples.

    The split takes every fifth example of each class in scikit-learn's order for the
    test, and depends on nothing else.

    Args:
      resolution: side of the fetched images in pixels.
      storage: side at which they are kept in memory.

    Returns:
      A tuple of training `ImageSource`, test `ImageSource`.
    """
    # Imported here: scikit-learn takes a second, and only this dataset needs it.
    from sklearn import datasets

    digits = datasets.load_digits()
    labels = digits.target.astype(np.int32)
    class_names = tuple(str(name) for name in digits.target_names)
    is_test = np.zeros(len(labels), bool)
    for label in range(len(class_names)):
        is_test[np.flatnonzero(labels == label)[_TEST_EVERY - 1 :: _TEST_EVERY]] = True

    levels = np.round(digits.images * (255 / _LARGEST_VALUE)).astype(np.uint8)

    def source(members: np.ndarray, side: int) -> InMemorySource:
        pixels = np.stack([_resize(image, side) for image in levels[members]])
        alike = np.array([fingerprint(image) for image in levels[members]])
        return InMemorySource(pixels, labels[members], class_names, resolution, fingerprints=alike)

    return source(~is_test, storage), source(is_test, resolution)


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    """Resizes a uint8 image `[8, 8]` to `[side, side, 1]` with PIL's antialiased bicubic."""
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized)[..., None]


class Digits(DatasetKind):
    """The one data set of its kind; splits have no names."""

    @override
    def open(self, request: DatasetRequest) -> OpenedDataset:
        if request.channels != 1:
            raise UserError(
                f"digits has 1 channel, but data.channels is {request.channels}: set it to 1"
            )
        train, test = load_digits(request.resolution, request.storage)
        plain_train = train
        if request.storage != request.resolution:
            # Only training crops need the larger images; the rest is shown as the test split is.
            plain_train, _ = load_digits(request.resolution, request.resolution)
        return OpenedDataset("digits", train, test, plain_train.subset)


CHOICE = Digits()
