"""Types that many signatures share. Nothing here imports TensorFlow."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import tensorflow as tf

PathLike: TypeAlias = str | os.PathLike[str]

# Scalar tensors by name: what a step reports.
Scalars: TypeAlias = dict[str, "tf.Tensor"]

# Images [n, H, W, C] in [-1, 1] and their labels [n].
LabelledImages: TypeAlias = tuple["tf.Tensor", "tf.Tensor"]

# The last batch may be smaller.
Batches: TypeAlias = Iterable[LabelledImages]

# From images [N, H, W, C] in [-1, 1] to class logits [N, K], in inference mode.
LogitsFunction: TypeAlias = Callable[["tf.Tensor"], "tf.Tensor"]

# From images [N, H, W, C] in [-1, 1] to a loss an image, [N]: what an attack maximises.
LossFunction: TypeAlias = Callable[["tf.Tensor"], "tf.Tensor"]

# From latents [N, Z] and labels [N] to images [N, H, W, C] in [-1, 1], in inference mode.
GeneratorFunction: TypeAlias = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]

# Sizes of the axes of a batch, None where a size is not known.
Shape: TypeAlias = tuple[Any, ...]

# What a JSON file holds: a record of metrics.jsonl, a table, a model card.
JsonObject: TypeAlias = dict[str, Any]
