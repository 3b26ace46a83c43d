"""Half the rate after every `halve_every` steps, as the official code cuts it."""

from typing import TYPE_CHECKING

from typing_extensions import override

from robgan_tf.training.schedule import Schedule, Times

if TYPE_CHECKING:
    import tensorflow as tf


class Halving(Schedule):
    """Goes by `halve_every`."""

    @override
    def share(self, step: "tf.Tensor", times: Times) -> "tf.Tensor":
        import tensorflow as tf

        return 0.5 ** tf.floor(step / times.halve_every)

    @override
    def needs(self, times: Times) -> str | None:
        return "halve_every" if times.halve_every is None else None


CHOICE = Halving()
