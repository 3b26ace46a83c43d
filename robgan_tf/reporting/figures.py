"""Curves drawn by matplotlib, as pictures."""

import io

import matplotlib
from matplotlib.figure import Figure


def figure_png(figure: Figure, resolution: int) -> bytes:
    """Draws a figure as the bytes of a PNG, of as many pixels an inch."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=resolution)
    return picture.getvalue()


def figure_svg(figure: Figure) -> bytes:
    """Draws a figure as the bytes of an SVG; the same figure gives the same bytes."""
    picture = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "robgan_tf"}):
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()
