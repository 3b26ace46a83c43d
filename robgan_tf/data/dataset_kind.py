"""What a kind of data set is: how its images are opened, and what was asked of them."""

import abc
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from robgan_tf.data.sources import ImageSource
from robgan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class DatasetRequest:
    """What is asked of a data set.

    Attributes:
      dataset: name that gin files give.
      resolution: side of the images in pixels.
      storage: side at which training images are kept, so that random crops are not enlarged.
      channels: channels of the images.
      num_classes: classes that the data set must have.
      data_dir: folder of the images or of prepared data; None for the kind's default.
      train_split: name of the training split or of its folder.
      test_split: name of the test split or of its folder.
      reading: how stored images become pixels, one of `config.groups.READINGS`.
      kept_in: where images are kept, one of `config.groups.KEPT_IN`.
    """

    dataset: str
    resolution: int
    storage: int
    channels: int
    num_classes: int
    data_dir: str | None
    train_split: str
    test_split: str
    reading: str = "served"
    kept_in: str = "auto"

    def check_classes(self, class_names: Sequence[str]) -> None:
        """Raises UserError unless there are as many classes as asked for."""
        if len(class_names) != self.num_classes:
            raise UserError(
                f"the dataset {self.dataset} has {len(class_names)} classes, but data.num_classes "
                f"is {self.num_classes}: set data.num_classes to {len(class_names)}"
            )


@dataclasses.dataclass(frozen=True)
class OpenedDataset:
    """The images of a data set, before any are held out.

    Attributes:
      name: without version; it chooses, with the split seed, which images are held out.
      train: the images of the training split.
      test: the images of the test split.
      validation_of: function from sorted positions, int [N], in the training split to the
        ImageSource of these images as they are shown for validation: whole, at the resolution.
    """

    name: str
    train: ImageSource
    test: ImageSource
    validation_of: Callable[[np.ndarray], ImageSource]


class DatasetKind(abc.ABC):
    """A kind of data set."""

    @abc.abstractmethod
    def open(self, request: DatasetRequest) -> OpenedDataset:
        """Opens a data set.

        Raises:
          UserError: if the data cannot be used as asked; the message says why.
        """
