"""Types that many signatures share. Nothing here imports TensorFlow."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf

PathLike: TypeAlias = str | os.PathLike[str]

# From images [N, H, W, C] in [-1, 1] to class logits [N, K], in inference mode.
LogitsFunction: TypeAlias = Callable[["tf.Tensor"], "tf.Tensor"]

# From images [N, H, W, C] in [-1, 1] to a loss an image, [N]: what an attack maximises.
LossFunction: TypeAlias = Callable[["tf.Tensor"], "tf.Tensor"]

# Images [n, H, W, C] in [-1, 1] with their labels [n], the last batch perhaps smaller.
Batches: TypeAlias = Iterable[tuple["tf.Tensor", "tf.Tensor"]]
