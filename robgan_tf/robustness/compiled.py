"""What is compiled for one classifier: its predictions and each form of attack, once."""

import contextlib
import functools
import numbers
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import tensorflow as tf

from robgan_tf.attacks.objectives import is_fooled
from robgan_tf.attacks.search import AttackSearch, is_numbered
from robgan_tf.robustness.gradients import GradientCounter
from robgan_tf.robustness.peers import ALONE, Peers
from robgan_tf.robustness.subjects import Classifier

NO_CLASS = -1  # What is predicted where logits are NaN.
# Weights are held in the model itself while a function is traced: one at a time.
_TRACING = threading.Lock()


class CompiledClassifier:
    """A classifier, and functions of it that are compiled for any number of images.

    Attacks of one form share a function, which takes radius, steps and the like as tensors: all
    radii of an evaluation and all rows of a masking report are compiled once.

    Args:
      classifier: a Classifier.
      image_shape: (H, W, C).
      device_names: where its functions run, such as "GPU:0" and "GPU:1"; of None, the one device
        that TensorFlow chooses.
      peers: the processes that evaluate it together.

    Attributes:
      classifier: the same.
      devices: how many there are.
      peers: the same.
      predict: function from images, float32 [N, H, W, C], to their classes, int32 [N]; -1 where
        the logits are NaN.
      gradients: the `GradientCounter` of all that attacks followed.
    """

    def __init__(
        self,
        classifier: Classifier,
        image_shape: Sequence[int],
        device_names: Sequence[str] | None = None,
        peers: Peers = ALONE,
    ) -> None:
        self.classifier = classifier
        self.peers = peers
        self._device_names: Sequence[str | None] = device_names or [None]
        self.devices = len(self._device_names)
        self.gradients = GradientCounter()
        self._images = tf.TensorSpec([None, *image_shape], tf.float32)
        self._of_forms: dict[Hashable, Callable[..., Any]] = {}
        self.predict = self._compiled(
            lambda images: _predicted(classifier.logits(images)), [self._images], device=0
        )

    def search(
        self, attack: AttackSearch, device: int = 0
    ) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        """Returns a compiled function that makes one round of an attack.

        Args:
          attack: any attack; those that tell their form share the function of that form.
          device: the place of a name in `device_names`.

        Returns:
          A function of images, float32 [N, H, W, C] in [-1, 1], labels, int32 [N], seeds, int32
          [N, 2], and the number of the round, a scalar int32 tensor, that returns (adversarial
          images, bool [N] whether each is misclassified).
        """
        if not is_numbered(attack):
            return functools.partial(self._search([], lambda _: attack, device), [])
        given = [_tensor(number) for number in attack.numbers]
        key = type(attack), attack.form, device
        if key not in self._of_forms:
            self._of_forms[key] = self._search(given, attack.with_numbers, device)
        return functools.partial(self._of_forms[key], given)

    def _search(
        self,
        given: Sequence[tf.Tensor],
        attack_of: Callable[[Sequence[tf.Tensor]], AttackSearch],
        device: int,
    ) -> Callable[..., Any]:
        """Compiles one round of the attack that `attack_of` makes of such numbers."""

        def search(
            given: Sequence[tf.Tensor],
            images: tf.Tensor,
            labels: tf.Tensor,
            seeds: tf.Tensor,
            round_number: tf.Tensor,
        ) -> tuple[tf.Tensor, tf.Tensor]:
            logits = self.classifier.logits
            attack = attack_of(given)
            found = attack(self.gradients.counted(logits), images, labels, seeds, round_number)
            return found, is_fooled(logits(found), labels)

        return self._compiled(
            search,
            [
                [tf.TensorSpec.from_tensor(number) for number in given],
                self._images,
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, 2], tf.int32),
                tf.TensorSpec([], tf.int32),
            ],
            device,
        )

    def _compiled(
        self, function: Callable[..., Any], signature: Sequence[Any], device: int
    ) -> Callable[..., Any]:
        """Compiles for any number of images, with the classifier's weights prepared once a call."""
        name = self._device_names[device]

        def held(*arguments: Any) -> Any:
            with tf.device(name) if name else contextlib.nullcontext(), self.classifier.hold():
                return function(*arguments)

        return _traced_alone(tf.function(held, autograph=False, input_signature=signature))


def _traced_alone(function: Any) -> Callable[..., Any]:
    """The same function, of which the first call, which traces it, lets no other be traced."""
    traced = False

    def call(*arguments: Any) -> Any:
        nonlocal traced
        if not traced:
            with _TRACING:
                function.get_concrete_function()
            traced = True
        return function(*arguments)

    return call


def _tensor(number: float) -> tf.Tensor:
    return tf.constant(number, tf.int32 if isinstance(number, numbers.Integral) else tf.float32)


def _predicted(logits: tf.Tensor) -> tf.Tensor:
    """Predicted classes [N]; argmax would find one among NaN as well."""
    classes = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.where(tf.reduce_any(tf.math.is_nan(logits), axis=1), NO_CLASS, classes)
