"""A tenth of the rate after each of the steps `drop_at`."""

from typing import TYPE_CHECKING

from typing_extensions import override

from robgan_tf.training.schedule import Schedule, Times

if TYPE_CHECKING:
    import tensorflow as tf


class Drops(Schedule):
    """Goes by `drop_at`."""

    @override
    def share(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        import tensorflow as tf

        passed = step >= tf.constant(times.drop_at, step.dtype)
        return 0.1 ** tf.reduce_sum(tf.cast(passed, step.dtype))

    @override
    def needs(self, times: Times) -> str | None:
        return None if times.drop_at else "drop_at"


CHOICE = Drops()
