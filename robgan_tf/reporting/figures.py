"""Curves drawn by matplotlib, as pictures."""

import io

from matplotlib.figure import Figure


def figure_png(figure: Figure, resolution: int) -> bytes:
    """Draws a figure as the bytes of a PNG, of as many pixels an inch."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=resolution)
    return picture.getvalue()
