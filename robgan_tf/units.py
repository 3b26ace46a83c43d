"""Attack radii in the two units people use.

Images here are on [-1, 1], twice as wide as the [0, 1] of most papers, so a radius of 8/255 there
is 16/255 = 0.0627 here, in L-inf, L2 and L1 alike.
"""

import math
import re

from robgan_tf.choices import NORMS

# What one unit of [0, 1] is on [-1, 1].
SCALE = 2.0
_LEVELS = re.compile(r"\+?(\d+\.?\d*|\.\d+)\s*/\s*255")


def parse_radius(text: str) -> float:
    """Reads an attack radius.

    Args:
      text: a number on [-1, 1], such as "0.0627", or k/255 of the [0, 1] scale, such as "8/255".

    Returns:
      The radius on [-1, 1], at least 0.

    Raises:
      ValueError: if it is anything else; the message says what would be right.
    """
    text = text.strip()
    levels = _LEVELS.fullmatch(text)
    if levels is not None:
        return SCALE * float(levels[1]) / 255.0
    try:
        radius = float(text)
    except ValueError:
        radius = math.nan
    if not 0.0 <= radius < math.inf:
        raise ValueError(
            f"{text!r} is no radius: give a number on [-1, 1], such as 0.0627, or k/255 of the "
            "[0, 1] scale, such as 8/255"
        )
    return radius


def format_radius(epsilon: float, norm: str = "linf") -> str:
    """Writes an attack radius in this project's unit and in 1/255 of the [0, 1] scale.

    Args:
      epsilon: the radius on [-1, 1] images; finite, at least 0.
      norm: "linf" (the largest change of any value), "l2" (the length of the whole change), "l1"
        (the sum of all changes), or another that exists.

    Returns:
      For example "0.03125 (3.98/255)", or "0.5 in L2 (63.75/255 in L2)". In L1, where radii are not
      counted in levels of a pixel, that of [0, 1] itself: "24 in L1 (12 of [0, 1] in L1)".

    Raises:
      ValueError: if the radius is negative or not finite, or the norm unknown.
    """
    if not math.isfinite(epsilon) or epsilon < 0:
        raise ValueError(f"a radius must be finite and at least 0, not {epsilon}")
    if norm not in NORMS:
        raise ValueError(f"the norm of a radius {NORMS.unknown(norm)}")
    suffix = "" if norm == "linf" else f" in {norm.upper()}"
    if norm == "l1":
        return f"{epsilon:g}{suffix} ({epsilon / SCALE:g} of [0, 1]{suffix})"
    return f"{epsilon:g}{suffix} ({_two_decimals(epsilon / SCALE * 255.0)}/255{suffix})"


def _two_decimals(value: float) -> str:
    if 0 < value < 0.1:
        return f"{value:.2g}"  # two decimals would print a small radius as 0
    return f"{value:.2f}".rstrip("0").rstrip(".")
