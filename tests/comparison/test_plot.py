"""The plot in Figure 8's layout and Figure 7's sheets, as pixels."""

import io

import numpy as np
from PIL import Image

from robgan_tf.comparison import curves as convergence
from robgan_tf.comparison.curves import Run
from robgan_tf.comparison.plot import convergence_plot, side_by_side
from robgan_tf.reporting.drawing import BACKGROUND

BLUE, ORANGE, GREEN = (31, 119, 180), (255, 127, 14), (44, 160, 44)  # of matplotlib
NAMES = ("fid/x/train10k-2k", "is/x/2k", "gap/test_lipschitz")


def run(name, seed=0, slope=1.0, has_seconds=True):
    records = []
    for step in range(100, 2100, 100):
        record = {"step": step, NAMES[0]: 100 - slope * step / 50, NAMES[1]: step / 1000}
        record[NAMES[2]] = slope
        if has_seconds:
            record[convergence.SECONDS] = step * slope
        records.append(record)
    return Run(name, f"{name} {seed}", {"train.seed": seed}, records)


def plot(runs, names=NAMES, caption="caption"):
    curves = {name: [convergence.curve_of(each, name) for each in runs] for name in names}
    comparisons = [convergence.comparison(name, curves[name]) for name in names]
    encoded = convergence_plot(comparisons, curves, caption)
    assert encoded.startswith(b"\x89PNG")
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")).astype(int)


def coloured(picture, colour):
    return int((np.abs(picture - colour).sum(-1) < 30).sum())


def thirds(picture):
    """The three columns of panels of the first row, without titles and the legend."""
    width = picture.shape[1] // 3
    return [picture[45:-62, number * width : (number + 1) * width] for number in range(3)]


def level_lines(panel):
    """The red of each level line that is blue, from above: the lower the darker the line."""
    is_blue = panel[..., 2] - panel[..., 0] > 30
    is_line = (is_blue.sum(1) > 100).astype(int)
    starts, ends = np.flatnonzero(np.diff(is_line) == 1) + 1, np.flatnonzero(np.diff(is_line) == -1)
    return [
        min(int(np.median(panel[row, is_blue[row], 0])) for row in range(start, end + 1))
        for start, end in zip(starts, ends, strict=True)
    ]


def test_one_row_a_measure_and_one_colour_a_configuration():
    runs = [run("a", 0), run("a", 1, 1.2), run("b", 0, 0.8), run("$c_1$", 0, 0.5)]
    one, three = plot(runs, NAMES[:1]), plot(runs)
    assert one.shape[1] == three.shape[1] >= 1000
    assert three.shape[0] > 2 * one.shape[0] > 500
    for panel in thirds(one):
        for colour in (BLUE, ORANGE, GREEN):
            assert coloured(panel, colour) > 100
        assert coloured(panel, (214, 39, 40)) == 0  # the fourth colour: there are no more
    assert len(np.unique(one.reshape(-1, 3), axis=0)) > 100


def test_names_that_are_long_are_not_cut():
    names = [f"weight_perturbation_generated_{number}" for number in range(8)]
    picture = plot([run(name, seed) for name in names for seed in (0, 1)], NAMES[:1])
    assert picture.shape[1] == plot([run("a")], NAMES[:1]).shape[1]
    assert (picture[:, :2] == 255).all() and (picture[:, -2:] == 255).all()


def test_runs_without_seconds_are_not_in_the_third_panel():
    picture = plot([run("a"), run("b", slope=0.5, has_seconds=False)], NAMES[:1])
    first, second, third = thirds(picture)
    for panel in (first, second):
        assert coloured(panel, BLUE) > 100 and coloured(panel, ORANGE) > 100
    assert coloured(third, BLUE) > 100 and coloured(third, ORANGE) == 0
    nothing = thirds(plot([run("a", has_seconds=False)], NAMES[:1]))[2]
    assert coloured(nothing, BLUE) == 0 and (nothing < 200).any()


def test_the_mean_is_bold_and_the_seeds_are_thin():
    alone = plot([run("a")], NAMES[2:])
    seeds = plot([run("a", 0, 1.0), run("a", 1, 0.0)], NAMES[2:])
    for panel in thirds(alone)[:2]:
        assert level_lines(panel) == [BLUE[0]]
    for panel in thirds(seeds)[:2]:
        first, mean, second = level_lines(panel)
        assert mean == BLUE[0] and min(first, second) > mean + 60


def test_the_score_is_a_dashed_line():
    for name, is_drawn in ((NAMES[0], True), (NAMES[2], False)):
        panel = thirds(plot([run("a")], [name]))[0]
        gray = (np.abs(panel - 128).max(-1) < 12).sum(1)
        assert (gray.max() > 30) == is_drawn


def test_sheets_stand_side_by_side_below_their_names():
    red = np.full((60, 200, 3), (255, 0, 0), np.uint8)
    blue = np.full((90, 150, 3), (0, 0, 255), np.uint8)
    encoded = side_by_side({"the first": red, "the second": blue})
    picture = np.asarray(Image.open(io.BytesIO(encoded)))
    top = picture.shape[0] - 90
    assert top >= 15 and picture.shape[1] >= 350
    np.testing.assert_array_equal(picture[top : top + 60, :200], red)
    np.testing.assert_array_equal(picture[top:, -200:-50], blue)  # as wide as the first
    assert (picture[top + 60 :, :200] == BACKGROUND).all()
    for name in (picture[:top, :200], picture[:top, -200:-50]):
        assert (name < 100).any()


def test_more_than_three_sheets_continue_below_equally_many_in_every_line():
    for number, lines in (
        (1, [1]),
        (3, [3]),
        (4, [2, 2]),
        (5, [3, 2]),
        (6, [3, 3]),
        (7, [3, 3, 1]),
    ):
        sheets = {f"{i}": np.full((60, 200, 3), (255, i, 0), np.uint8) for i in range(number)}
        picture = np.asarray(Image.open(io.BytesIO(side_by_side(sheets))))
        reds = [
            list(dict.fromkeys(row[row[:, 0] == 255][:, 1].tolist()))
            for row in picture[60 :: picture.shape[0] // len(lines)]
        ]
        assert [len(row) for row in reds] == lines
        assert [red for row in reds for red in row] == list(range(number))
