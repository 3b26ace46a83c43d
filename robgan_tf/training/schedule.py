"""What a schedule is: how a learning rate goes over training steps."""

import abc
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

if TYPE_CHECKING:
    # TensorFlow takes seconds to load, and settings are checked before.
    import tensorflow as tf


class Times(Protocol):
    """The numbers that a schedule may go by, as the settings of an optimizer hold them.

    Attributes:
      halve_every: steps between halvings.
      decay_start: step at which decay begins.
      decay_end: step at which it ends: a horizon of its own, so that training longer does not
        change the rates of the steps already made.
      drop_at: ascending steps.
    """

    @property
    def halve_every(self) -> int | None: ...  # noqa: D102
    @property
    def decay_start(self) -> int: ...  # noqa: D102
    @property
    def decay_end(self) -> int | None: ...  # noqa: D102
    @property
    def drop_at(self) -> tuple[int, ...]: ...  # noqa: D102


class Schedule(abc.ABC):
    """A learning rate over training steps, as a share of the rate at the start."""

    @abc.abstractmethod
    def share(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        """The share of the rate at the start.

        Args:
          step: steps already made, a scalar of Keras's floatx.
          times: what the settings say.

        Returns:
          A scalar of the same type.
        """

    def needs(self, times: Times) -> str | None:
        """The setting that is missing, in words that follow "needs"; None if none is."""
        del times
        return None


class Decay(Schedule):
    """Goes by what is left of the way from `decay_start` to `decay_end`."""

    def left(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        """1 until `decay_start`, 0 from `decay_end` on, straight between them."""
        import tensorflow as tf

        assert times.decay_end is not None, "see `needs`"
        left = (times.decay_end - step) / (times.decay_end - times.decay_start)
        return tf.clip_by_value(left, 0.0, 1.0)

    @override
    def needs(self, times: Times) -> str | None:
        if (times.decay_end or 0) > times.decay_start:
            return None
        return f"decay_end, a step after decay_start ({times.decay_start})"
