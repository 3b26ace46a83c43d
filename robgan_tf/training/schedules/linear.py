"""The same rate until `decay_start`, then straight down to zero at `decay_end`."""

from typing import TYPE_CHECKING

from typing_extensions import override

from robgan_tf.training.schedule import Decay, Times

if TYPE_CHECKING:
    import tensorflow as tf


class Linear(Decay):
    """Goes by `decay_start` and `decay_end`."""

    @override
    def share(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        return self.left(step, times)


CHOICE = Linear()
