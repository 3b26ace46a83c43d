"""The same rate until `decay_start`, then along half a cosine to zero at `decay_end`."""

import math
from typing import TYPE_CHECKING

from typing_extensions import override

from robgan_tf.training.schedule import Decay, Times

if TYPE_CHECKING:
    import tensorflow as tf


class Cosine(Decay):
    """Goes by `decay_start` and `decay_end`."""

    @override
    def share(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        import tensorflow as tf

        return 0.5 - 0.5 * tf.cos(math.pi * self.left(step, times))


CHOICE = Cosine()
