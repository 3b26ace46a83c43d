"""Accuracy by kind and severity as a picture."""

from collections.abc import Mapping

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from robgan_tf.corruptions.scores import Accuracies
from robgan_tf.reporting.figures import figure_png

_RESOLUTION = 120  # pixels an inch


def heat_map(models: Mapping[str, Accuracies]) -> bytes:
    """Draws a heat map a model: a row a kind, a column a severity, accuracy in percent.

    Args:
      models: dict from the name of a model to its accuracies.

    Returns:
      The bytes of a PNG.
    """
    kinds = list(dict.fromkeys(kind for of in models.values() for kind in of))
    severities = sorted({x for of in models.values() for each in of.values() for x in each})
    height, width = 1.2 + 0.32 * len(kinds), 1.8 + 0.55 * len(severities)
    figure = Figure(figsize=(1.2 + width * len(models), height), layout="constrained")
    scale = Normalize(0.0, 1.0)
    axes = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axis, (name, of) in zip(axes, models.items(), strict=True):
        cells = np.array([[of.get(k, {}).get(s, np.nan) for s in severities] for k in kinds])
        axis.imshow(cells, norm=scale, cmap="viridis", aspect="auto")
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("severity")
        axis.set_xticks(range(len(severities)), severities)
        axis.set_yticks(range(len(kinds)), kinds, fontsize=8)
        for (row, column), value in np.ndenumerate(cells):
            if not np.isnan(value):
                color = "black" if value > 0.6 else "white"
                axis.text(column, row, f"{value:.0%}", ha="center", va="center", color=color,
                          fontsize=7)  # fmt: skip
    figure.colorbar(ScalarMappable(scale, "viridis"), ax=list(axes), label="accuracy")
    return figure_png(figure, _RESOLUTION)
