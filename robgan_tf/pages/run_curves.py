"""The curves of one run as pictures of their own, so that a phone shows one below the other."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robgan_tf.comparison.record import (
    CLASSIFIER_PANELS,
    JOINT_PANELS,
    draw_panel,
    drawn_panels,
    thin,
)
from robgan_tf.pages.page import Picture
from robgan_tf.pages.run_source import RunSource
from robgan_tf.reporting.figures import figure_svg
from robgan_tf.typing import JsonObject
from robgan_tf.watching.gap_plot import COLOURS, PANELS

_SIZE = (4.6, 3.2)  # inches


def curve_pictures(source: RunSource) -> list[Picture]:
    """A picture of each kind of curve that the run has, but for the gap."""
    panels = JOINT_PANELS if source.is_joint else CLASSIFIER_PANELS
    drawn = drawn_panels(source.records, panels)
    records = thin(source.records)
    pictures = []
    for number, (title, names) in enumerate(drawn.items()):
        if names[0].startswith("gap/"):
            continue
        figure, axis = _figure()
        draw_panel(axis, records, title, names)
        listed = ", ".join(names)
        alt = f"{title} of {source.name} over its {source.step:,} steps: {listed}"
        pictures.append(Picture(f"curves_{number}.svg", figure_svg(figure), alt))
    return pictures


def gap_pictures(source: RunSource) -> list[Picture]:
    """Figures 2 and 6: training against test images, a picture a measure."""
    pictures = []
    for title, measure in PANELS.items():
        figure, axis = _figure()
        said = [
            _split(axis, source.records, split, measure, colour)
            for split, colour in COLOURS.items()
        ]
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
        axis.set_ylim(bottom=0.0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
        at_end = ", ".join(filter(None, said))
        alt = f"{title} of {source.name} over its steps, at the last one: {at_end}"
        pictures.append(Picture(f"gap_{measure}.svg", figure_svg(figure), alt))
    return pictures


def _split(axis: Axes, records: Sequence[JsonObject], split: str, measure: str, colour: str) -> str:
    """Draws one split; returns its last value in words, nothing where it was not measured."""
    key = f"gap/{split}_{measure}"
    points = [(record["step"], record[key]) for record in records if key in record]
    if not points:
        return ""
    marker = "." if len(points) < 30 else None
    axis.plot(*zip(*points, strict=True), color=colour, marker=marker, label=split, linewidth=1.2)
    return f"{split} {points[-1][1]:.3g}"


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    return figure, figure.subplots()
