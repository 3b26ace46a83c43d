"""A trained run as a library user holds it: its models, its samples, its judgements."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.files import PathLike
from robgan_tf.library.images import as_floats, as_labels
from robgan_tf.quality.generated_set import GeneratedSet, generated_labels
from robgan_tf.reporting import to_uint8
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.stages.finished import FinishedRun, best_or_last, open_run

ANSWERS = ("probabilities", "indices", "names")


class Run:
    """A run and one of its checkpoints; its data set is not needed.

    Models are built when they are first asked for.

    Args:
      finished: the run, opened.
    """

    def __init__(self, finished: FinishedRun):
        self._finished = finished

    @property
    def config(self) -> JointConfig | FinetuneConfig:
        """Every setting, in groups: `run.config.data.resolution`, `run.config.attack.epsilon`."""
        return self._finished.config

    @property
    def path(self) -> str:
        """The run directory or archive that was opened."""
        return self._finished.archive or self._finished.path

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return self._finished.step

    @property
    def identity(self) -> str:
        """The run and its checkpoint by name and content, wherever they are."""
        return self._finished.identity

    @property
    def class_names(self) -> tuple[str, ...]:
        """A label is an index into it."""
        return self._data.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images that G makes and D judges."""
        return self._data.image_shape

    @functools.cached_property
    def generator(self) -> keras.Model:
        """The averaged G: `ResNetGenerator` of latents [N, Z] and labels [N] to images.

        Raises:
          UserError: if it is a run of finetune, which has none.
        """
        return self._finished.load_generator()

    @functools.cached_property
    def classifier(self) -> keras.Model:
        """The classifier: of images in [-1, 1] to (source logits [N], class logits [N, K]).

        That is D of a run of joint training, and what a run of finetune has trained.

        Raises:
          UserError: if D was trained without a class head.
        """
        return self._finished.load_classifier()

    @functools.cached_property
    def discriminator(self) -> keras.Model:
        """D of a run of joint training, with whichever heads it has.

        Raises:
          UserError: if it is a run of finetune.
        """
        return self._finished.load_discriminator()

    def sample(
        self,
        what: int | npt.ArrayLike,
        seed: int = 0,
        truncation: float | None = None,
        as_uint8: bool = False,
        batch_size: int = 100,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Generates images with the averaged G.

        Image k is a function of the seed, k and its label, however many there are.

        Args:
          what: how many images, of all classes as evenly as the number allows, in random order; or
            the label of each image, [N] integers or names.
          seed: of latents and of the order of classes, from 0. `robgan-tf sample images` makes the
            same images of the same number and seed.
          truncation: bound of the latents, above 0; less variety.
          as_uint8: pixels from 0 to 255 instead.
          batch_size: images at a time; changes nothing but rounding.

        Returns:
          images, float32 [N, H, W, C] in [-1, 1] or uint8, and labels, int32 [N].

        Raises:
          UserError: if the run has no generator, or what is asked for makes no sense.
        """
        count = self.generator.num_classes
        labels = self._labels(what, count, seed)
        if truncation is not None and not truncation > 0.0:
            raise UserError(f"truncation {truncation:g}: give a bound above 0, for instance 1")
        batches = GeneratedSet(self.generator, truncation).floats(labels, seed, batch_size)
        images = np.concatenate([np.zeros([0, *self.image_shape], np.float32), *batches])
        return (to_uint8(images) if as_uint8 else images), labels

    def classify(
        self, images: npt.ArrayLike, answer: str = "probabilities", batch_size: int = 100
    ) -> np.ndarray:
        """Classifies images.

        Args:
          images: [N, H, W, C] floats in [-1, 1], or uint8 pixels.
          answer: "probabilities", float32 [N, K]; "indices", int32 [N]; or "names", str [N].
          batch_size: images at a time; changes nothing but rounding.

        Returns:
          The answer for each image.

        Raises:
          UserError: if there is no class head, or the images are of another shape or range.
        """
        if answer not in ANSWERS:
            raise UserError(f"answer {answer!r} does not exist: give {', '.join(ANSWERS)}")
        floats = as_floats(images, self.image_shape)
        parts = [floats[k : k + batch_size] for k in range(0, len(floats), batch_size)]
        found = [np.asarray(self._probabilities(part)) for part in parts]
        probabilities = np.concatenate([np.zeros([0, len(self.class_names)], np.float32), *found])
        if answer == "probabilities":
            return probabilities
        indices = probabilities.argmax(axis=1).astype(np.int32)
        return indices if answer == "indices" else np.array(self.class_names)[indices]

    def __repr__(self) -> str:
        return f"<robgan_tf.Run {self.path}, step {self.step}>"

    @functools.cached_property
    def _data(self) -> DataRecord:
        return self._finished.data()

    @functools.cached_property
    def _probabilities(self) -> Any:
        classifier = self.classifier
        spec = tf.TensorSpec([None, *self.image_shape], tf.float32)
        return tf.function(
            lambda images: tf.nn.softmax(classifier(images, training=False)[1]),
            input_signature=[spec],
            autograph=False,
        )

    def _labels(self, what: int | npt.ArrayLike, num_classes: int, seed: int) -> np.ndarray:
        if isinstance(what, int | np.integer):
            if what < 0:
                raise UserError(f"{what} images were asked for: give a number from 0, or labels")
            return generated_labels(int(what), seed, num_classes)
        labels = np.asarray(what)
        if labels.dtype.kind in "US":
            labels = np.array([self._label(str(name)) for name in labels.ravel()])
        return as_labels(labels, max(num_classes, 1))

    def _label(self, name: str) -> int:
        if name not in self.class_names:
            raise UserError(f"class {name!r} does not exist; there are {_shown(self.class_names)}")
        return self.class_names.index(name)


def load_run(path: PathLike, checkpoint: str | int | None = None) -> Run:
    """Opens a trained run; its data set is not needed.

    Args:
      path: the run directory, or an archive that `robgan-tf pack` has made.
      checkpoint: "best", "last" or a step that was kept; the best where there is one, else the
        last, if not given.

    Returns:
      A Run.

    Raises:
      UserError: if there is no run or no such checkpoint.
    """
    path = pathlib.Path(path).expanduser()
    wanted = best_or_last(path) if checkpoint is None else str(checkpoint)
    return Run(open_run(str(path), wanted))


def _shown(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
