"""Figure 8's layout, measures over steps, D updates and seconds; Figure 7's sheets side by side."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib.figure
import numpy as np

from robgan_tf.comparison.curves import AXES, Curve, by_configuration, mean_curve
from robgan_tf.reporting import png
from robgan_tf.reporting.drawing import GAP, pad_to, text_box
from robgan_tf.reporting.figures import figure_png
from robgan_tf.typing import JsonObject

_STYLES = ("-", "--", ":", "-.")
_COLOURS = 10  # in matplotlib's cycle
_PANEL = (4.6, 3.5)  # inches
_RESOLUTION = 90  # pixels an inch
_CAPTION_WIDTH = 170  # letters
_TITLE_WIDTH = 50  # letters over a panel
_MEAN = ", mean of {count} runs"  # after a name
_LEGEND_LETTER, _LEGEND_LINE = 0.075, 0.6  # inches of a letter in the legend, and of what is beside
_MOST_MARKED = 30  # points of a curve
_NAME_FONT_SIZE = 15
_NAME_HEIGHT = 44  # two lines of it
_MOST_BESIDE = 3  # sheets in a line


def convergence_plot(
    comparisons: Sequence[JsonObject],
    curves: Mapping[str, Sequence[Curve]],
    caption: str,
    axes: Sequence[str] = AXES,
) -> bytes:
    """Draws one row a measure: against steps, D updates and training seconds.

    A configuration has one colour; where it has several runs they are thin and their mean is bold.
    Dots are where a run first reaches the score, which is the dashed line.

    Args:
      comparisons: list of what `comparison.curves.comparison` returned.
      curves: dict from the measure's name to its Curves.
      caption: a line or two.
      axes: those of AXES that are drawn against.

    Returns:
      The picture as the bytes of a PNG file.
    """
    names = by_configuration(curve for of_runs in curves.values() for curve in of_runs)
    width = len(axes) * _PANEL[0]
    columns = _legend_columns(names, width) if len(axes) > 1 else 1
    lines = -(-len(names) // columns)
    # Two lines of names fit into the margins beside several panels.
    height = len(comparisons) * _PANEL[1] + 0.9 + 0.2 * max(0, lines - 2 * (len(axes) > 1))
    figure = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(len(comparisons), len(axes), squeeze=False, sharey="row")
    for row, compared in zip(panels, comparisons, strict=True):
        for panel, axis in zip(row, axes, strict=True):
            _draw(panel, axis, compared, by_configuration(curves[compared["measure"]]))
        title = textwrap.fill(_title(compared), _TITLE_WIDTH * len(axes))
        row[0].set_title(title, fontsize=10, loc="left")
    is_joint = all(curve.run.is_joint for of_runs in curves.values() for curve in of_runs)
    steps = "step (one update of G each)" if is_joint else "step"
    units = dict(zip(AXES, (steps, "D updates", "training seconds"), strict=True))
    for panel, axis in zip(panels[-1], axes, strict=True):
        panel.set_xlabel(units[axis])
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=9)
    figure.suptitle(
        _plain(textwrap.fill(caption, _CAPTION_WIDTH * len(axes) // len(AXES))), fontsize=9
    )
    return figure_png(figure, _RESOLUTION)


def _legend_columns(names: Collection[str], width: float) -> int:
    """How many names fit beside each other into so many inches, at most five."""
    letters = max(map(len, names)) + len(_MEAN.format(count=10))
    return max(1, min(5, len(names), int(width / (_LEGEND_LETTER * letters + _LEGEND_LINE))))


def _title(compared: JsonObject) -> str:
    title = compared["measure"]
    if compared["better"]:
        title += f"  ({compared['better']} is better; dashed: {compared['score']:.5g})"
    return _plain(title)


def _draw(
    panel: matplotlib.axes.Axes,
    axis: str,
    compared: JsonObject,
    configurations: Mapping[str, Sequence[Curve]],
) -> None:
    for number, (name, curves) in enumerate(configurations.items()):
        style: dict[str, Any] = {
            "color": f"C{number % _COLOURS}",
            "linestyle": _STYLES[number // _COLOURS % len(_STYLES)],
        }
        known = [curve for curve in curves if getattr(curve, axis) is not None]
        for curve in known:
            _line(panel, getattr(curve, axis), curve.values, style, is_bold=len(curves) == 1)
            _dot(panel, axis, compared, curve, style["color"])
        if len(curves) > 1 and len(known) == len(curves):
            _line(panel, *mean_curve(curves, axis), style, is_bold=True)
        # An empty line for the legend: the same names in all panels, whatever they show.
        seeds = _MEAN.format(count=len(curves)) if len(curves) > 1 else ""
        panel.plot([], [], linewidth=2.0, label=_plain(f"{name}{seeds}"), **style)
    if compared["score"] is not None:
        panel.axhline(compared["score"], color="gray", linestyle="--", linewidth=0.8)
    if not any(getattr(curve, axis) is not None for of in configurations.values() for curve in of):
        panel.text(0.5, 0.6, "not recorded", ha="center", color="gray", transform=panel.transAxes)
        panel.set_xticks([])
    else:
        panel.set_xlim(left=0)
        # Thousands would be written over each other.
        panel.locator_params(axis="x", nbins=6)
        panel.xaxis.set_major_formatter("{x:,.10g}")
    panel.grid(alpha=0.3)


def _line(
    panel: matplotlib.axes.Axes,
    places: np.ndarray,
    values: np.ndarray,
    style: Mapping[str, Any],
    is_bold: bool,
) -> None:
    panel.plot(
        places,
        values,
        linewidth=1.8 if is_bold else 0.7,
        alpha=1.0 if is_bold else 0.5,
        marker="." if is_bold and len(places) < _MOST_MARKED else None,
        markersize=5,
        **style,
    )


def _dot(
    panel: matplotlib.axes.Axes, axis: str, compared: JsonObject, curve: Curve, colour: str
) -> None:
    if compared["score"] is None:
        return
    reach = curve.first_reach(compared["score"], compared["better"])
    if reach is not None:
        panel.plot(
            reach[axis],
            # A first record that has reached it already is off the line.
            curve.values[0] if reach["is_bound"] else compared["score"],
            marker="o",
            color=colour,
            markeredgecolor="black",
            zorder=3,
        )


def _plain(text: str) -> str:
    """What matplotlib draws as it is: a dollar would begin a formula."""
    text = text.replace("$", r"\$")
    # It leaves names that begin so out of legends.
    return f" {text}" if text.startswith("_") else text


def side_by_side(sheets: Mapping[str, np.ndarray]) -> bytes:
    """Pastes picture sheets beside each other, aligned above, their names over them (Figure 7).

    More than three continue below, so that rows stay wide enough to be looked at on a screen.

    Args:
      sheets: dict from the name to uint8 [h, w, 3].

    Returns:
      The picture as the bytes of a PNG file.
    """
    number = len(sheets)
    columns = -(-number // -(-number // _MOST_BESIDE))  # equally many in every line
    height = max(sheet.shape[0] for sheet in sheets.values())
    # Room between, so that the class names of a sheet do not touch its neighbour's samples.
    width = max(sheet.shape[1] for sheet in sheets.values()) + 8 * GAP
    boxes = [_named(name, sheet, height, width) for name, sheet in sheets.items()]
    lines = [np.hstack(boxes[first : first + columns]) for first in range(0, len(boxes), columns)]
    picture = np.vstack([pad_to(line, 0, columns * width) for line in lines])
    return png(picture[:, : -8 * GAP])


def _named(name: str, sheet: np.ndarray, height: int, width: int) -> np.ndarray:
    """The sheet below its name, uint8 [height and a headline, width, 3]."""
    headline = text_box(name, _NAME_HEIGHT, sheet.shape[1], _NAME_FONT_SIZE, "center")
    return np.vstack([pad_to(headline, 0, width), pad_to(sheet, height, width)])
