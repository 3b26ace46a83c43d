"""The layout of Figures 2 and 6: accuracy under attack and LLV, train against test, over steps."""

from collections.abc import Mapping, Sequence

import matplotlib.figure

from robgan_tf.reporting.figures import figure_png

PANELS = {
    "accuracy, clean": "clean",
    "accuracy under attack (Figure 2, left)": "attacked",
    "mean local Lipschitz value (Figure 2, right)": "lipschitz",
}
COLOURS = {"train": "tab:red", "validation": "tab:green", "test": "tab:blue"}


def gap_plot(
    runs: Mapping[str, Sequence[Mapping[str, float]]], caption: str, axis_name: str = "step"
) -> bytes:
    """Draws curves of one or several runs.

    Args:
      runs: dict from a run's name to its records, each a dict with "step" and "gap/..." values.
      caption: one line on the attack.
      axis_name: what "step" means.

    Returns:
      The picture as the bytes of a PNG file. A run has one line style, a split one colour.
    """
    figure = matplotlib.figure.Figure(figsize=(13, 4.4), layout="constrained")
    styles = ("-", "--", ":", "-.")
    for axis, (title, measure) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        for number, (name, records) in enumerate(runs.items()):
            for split, colour in COLOURS.items():
                key = f"gap/{split}_{measure}"
                points = [(record["step"], record[key]) for record in records if key in record]
                if points:
                    axis.plot(
                        *zip(*points, strict=True),
                        color=colour,
                        linestyle=styles[number % len(styles)],
                        marker="." if len(points) < 30 else None,
                        label=f"{name}: {split}" if len(runs) > 1 else split,
                    )
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(axis_name)
        axis.set_ylim(bottom=0.0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.suptitle(caption, fontsize=9)
    return figure_png(figure, 90)
