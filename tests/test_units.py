import math

import pytest

from robgan_tf.units import format_radius, parse_radius


@pytest.mark.parametrize(
    ("epsilon", "norm", "text"),
    [
        (0.03125, "linf", "0.03125 (3.98/255)"),
        (2 * 8 / 255, "linf", "0.0627451 (8/255)"),
        (2 * 1 / 255, "linf", "0.00784314 (1/255)"),
        (0.5, "l2", "0.5 in L2 (63.75/255 in L2)"),
        (24, "l1", "24 in L1 (12 of [0, 1] in L1)"),
        (0.25, "l1", "0.25 in L1 (0.125 of [0, 1] in L1)"),
        (2, "linf", "2 (255/255)"),
        (0, "linf", "0 (0/255)"),
        (0.00001, "linf", "1e-05 (0.0013/255)"),
        (100 / 127.5, "linf", "0.784314 (100/255)"),
    ],
)
def test_radius_in_both_units(epsilon, norm, text):
    assert format_radius(epsilon, norm) == text


@pytest.mark.parametrize("epsilon", [-0.1, math.nan, math.inf])
def test_impossible_radius_is_refused(epsilon):
    with pytest.raises(ValueError, match="radius"):
        format_radius(epsilon)


def test_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="l3"):
        format_radius(0.1, "l3")


@pytest.mark.parametrize(
    ("text", "radius"),
    [
        ("0.04", 0.04),
        ("8/255", 16 / 255),
        (" 0.5 / 255", 1 / 255),
        ("255/255", 2.0),
        ("1e-3", 0.001),
        ("0", 0.0),
    ],
)
def test_a_radius_is_read_in_either_unit(text, radius):
    assert parse_radius(text) == pytest.approx(radius, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["8/256", "abc", "-8/255", "-0.1", "nan", "inf", "8/", "/255", "1/8/255", "", "8e1/255"]
)
def test_what_is_no_radius_is_refused(text):
    with pytest.raises(ValueError, match=r"is no radius: give a number on \[-1, 1\], such as 0.06"):
        parse_radius(text)


def test_what_is_printed_can_be_given_again():
    shown = format_radius(0.0627451).split("(")[1].rstrip(")")
    assert parse_radius(shown) == pytest.approx(0.0627451, abs=1e-7)
