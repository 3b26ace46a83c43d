"""A model's layers and parameter counts as text."""

import math

import keras


def summary_table(model: keras.Model) -> str:
    """Lists a built model's direct layers with their trainable and other parameters.

    Args:
      model: a built Keras model.

    Returns:
      A table as a string of several lines.
    """
    rows = [(layer.name, *_counts(layer)) for layer in model.layers]
    rows.append(("total", *_counts(model)))
    width = max(len(name) for name, _, _ in rows)
    lines = [model.name, f"  {'layer':<{width}}  {'trainable':>12}  {'other':>8}"]
    lines += [f"  {name:<{width}}  {own:>12,}  {other:>8,}" for name, own, other in rows]
    return "\n".join(lines)


def _counts(layer: keras.layers.Layer) -> tuple[int, int]:
    return tuple(
        sum(math.prod(variable.shape) for variable in variables)
        for variables in (layer.trainable_variables, layer.non_trainable_variables)
    )
