"""What is attacked on both sides: the classifier of a run and images of its data."""

import dataclasses
import pathlib

import numpy as np

from robgan_tf.data import load_image_data
from robgan_tf.data.batches import scale_images
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.robustness.run import Protocol, choose_images
from robgan_tf.robustness.subject_check import check_classifier
from robgan_tf.robustness.subjects import Classifier, discriminator_classifier
from robgan_tf.stages.finished import FinishedRun

BATCH_SIZE = 100
# D as PyTorch computes it fastest: frozen, channels last.
FORM = "tuned"


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is attacked.

    Attributes:
      classifier: a Classifier.
      images: float32 [N, H, W, C] in [-1, 1].
      labels: int64 [N].
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray

    @property
    def batches(self) -> list[slice]:
        """Slices of the images that are attacked at a time."""
        count = len(self.labels)
        return [
            slice(first, min(first + BATCH_SIZE, count)) for first in range(0, count, BATCH_SIZE)
        ]

    def logits(self) -> np.ndarray:
        """Logits of the images, [N, K]."""
        logits = self.classifier.logits
        return np.concatenate([logits(self.images[batch]) for batch in self.batches])


def in_float32(run: FinishedRun) -> FinishedRun:
    """A FinishedRun whose networks compute in float32, whatever it was trained in."""
    return dataclasses.replace(run, config=run.config.with_precision("float32"))


def subject_of(
    run: FinishedRun, model: ResNetDiscriminator, data_dir: str | None, count: int
) -> tuple[Subject, str]:
    """A run's D and test images that stand for all.

    Args:
      run: a FinishedRun.
      model: its D.
      data_dir: of its data set.
      count: number of images.

    Returns:
      (a Subject, one line that says which images they are).
    """
    classifier = discriminator_classifier(model, pathlib.Path(run.path).name, run.identity)
    source = load_image_data(**run.config.data.loading(data_dir)).test
    positions, chosen = choose_images(source, Protocol("published", (0.0,)), count)
    images = scale_images(source.fetch(positions)).numpy()
    check_classifier(classifier, images, len(source.class_names))
    return Subject(classifier, images, source.labels[positions].astype(np.int64)), chosen
