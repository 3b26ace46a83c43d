"""The figures of the report in the paper's layout, each panel a picture of its own."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robgan_tf.comparison import curves as convergence
from robgan_tf.comparison.plot import convergence_plot
from robgan_tf.pages.page import Block, Picture, Pictures, Table, Text
from robgan_tf.pages.run_source import RunSource
from robgan_tf.reporting.figures import figure_svg
from robgan_tf.reproduction.results import Results
from robgan_tf.reproduction.tables import captioned, rows_of_table_1

_SIZE = (5.4, 3.8)  # inches
_SPLITS = {"train": "tab:red", "test": "tab:blue"}
_MEASURES = {"attacked": "accuracy under attack", "lipschitz": "mean local Lipschitz value"}
_PAIRS = (("split_none", "split_attack"), ("ac_gan_none", "ac_gan_attack"))


def figure_2(results: Results) -> list[Block]:
    """Figure 2: adversarial training, training against test images, over its updates."""
    sources = results.sources.get("at", {})
    found = _gap_pictures(results, "figure_2", sources, tuple(_MEASURES), "Adversarial training")
    return [Pictures(found)]


def figure_6(results: Results) -> list[Block]:
    """Figure 6: accuracy over the radius with and without fine-tuning; the gap with it."""
    sources = results.sources.get("rob_gan", {})
    gap = _gap_pictures(results, "figure_6", sources, ("attacked",), "Rob-GAN with fine-tuning")
    return [Pictures([_over_radius(results), *gap])]


def figure_7(results: Results) -> list[Block]:
    """Figure 7: the sheets of classes side by side, of the first seed."""
    pictures = []
    for name, plan in results.experiment.plans.items():
        for seed, source in sorted(results.sources.get(name, {}).items())[:1]:
            if "figure_7" in plan.items and "samples" in source.pictures:
                title = f"{plan.title}, seed {seed}"
                alt = f"Images of the averaged generator, a class a row: {title}"
                content = source.pictures["samples"][1]
                pictures.append(Picture(f"figure_7_{name}.png", content, alt, title))
    if not pictures:
        return [Text("No run has a sheet yet.")]
    text = "A class a row; the same latents in all rows of a sheet."
    return [Pictures(pictures), Text(captioned(results, text))]


def figure_8(results: Results) -> list[Block]:
    """Figure 8: the Fréchet distance against steps, updates and seconds, and the speed-up."""
    measure = results.measure()
    names = [name for name, plan in results.experiment.plans.items() if "figure_8" in plan.items]
    of_names = {} if measure is None else {x: results.curves(x, measure) for x in names}
    curves = [curve for by_seed in of_names.values() for curve in by_seed.values()]
    if measure is None or not curves:
        return [Text("No Fréchet distance has been measured by all of these runs yet.")]
    compared = convergence.comparison(measure, curves)
    pictures = []
    for axis in convergence.AXES:
        if any(getattr(curve, axis) is None for curve in curves):
            continue
        drawn = convergence_plot([compared], {measure: curves}, "", (axis,))
        titles = "; ".join(results.experiment.plans[x].title for x in names)
        alt = f"{measure} of {titles} against {axis}"
        pictures.append(Picture(f"figure_8_{axis}.png", drawn, alt.replace("_", " ")))
    note = Text(
        "The paper's figure has Inception Scores of ImageNet-143. This is the Fréchet distance "
        f"{measure}, lower is better, which compares with nothing but itself."
    )
    rows = [
        [row["run"], f"{row['last']:.4g}", f"{row['best']:.4g}", f"{row['best_step']:,}"]
        for row in compared["runs"]
    ]
    table = Table(["run", "last", "best", "at step"], rows, captioned(results, ""))
    return [note, Pictures(pictures), table, _speed_up(results, of_names, compared["score"])]


def _speed_up(
    results: Results, of_names: Mapping[str, Mapping[int, convergence.Curve]], score: float
) -> Table:
    """How many times as fast a score is reached with the attack."""
    rows = []
    for without, attacked in _PAIRS:
        for seed in sorted({*of_names.get(without, {})} & {*of_names.get(attacked, {})}):
            ends = [of_names[x][seed].first_reach(score, "lower") for x in (without, attacked)]
            cells = [results.experiment.plans[attacked].title, str(seed)]
            for axis in ("step", "seconds"):
                places = [end[axis] for end in ends if end is not None and end[axis] is not None]
                if len(places) < 2:
                    cells.append("not reached by both")
                else:
                    slow, fast = places
                    cells.append(f"{slow / fast:.2f} x ({slow:,.0f} to {fast:,.0f})")
            rows.append(cells)
    caption = (
        f"How many times as fast the distance {score:.4g}, which all runs reach, is reached with "
        "the attack; in brackets where without and with it."
    )
    header = ["with attack", "seed", "in steps", "in seconds"]
    return Table(header, rows, captioned(results, caption))


def _gap_pictures(
    results: Results,
    name: str,
    sources: Mapping[int, RunSource],
    measures: Sequence[str],
    title: str,
) -> list[Picture]:
    pictures = []
    for measure in measures:
        ends: list[str] = []
        figure, axis = _figure(f"{title}: {_MEASURES[measure]}", "updates")
        for split, colour in _SPLITS.items():
            key = f"gap/{split}_{measure}"
            curves = [
                [(x["step"], x[key]) for x in source.records if key in x]
                for _, source in sorted(sources.items())
            ]
            curves = [curve for curve in curves if curve]
            _mean_curve(axis, curves, colour, split)
            ends += [f"{split} {curve[-1][1]:.3g}" for curve in curves]
        axis.set_ylim(bottom=0.0)
        _legend(axis)
        alt = f"{title}: {_MEASURES[measure]} over updates, at the end {', '.join(ends)}"
        caption = captioned(results, "Thin: seeds. Bold: their mean.")
        pictures.append(Picture(f"{name}_{measure}.svg", figure_svg(figure), alt, caption))
    return pictures


def _mean_curve(
    axis: Axes, curves: Sequence[Sequence[tuple[int, float]]], colour: str, label: str
) -> None:
    for curve in curves:
        axis.plot(*zip(*curve, strict=True), color=colour, linewidth=0.7, alpha=0.5)
    if not curves:
        return
    places = np.unique([step for curve in curves for step, _ in curve])
    tracks = [np.array(curve, float).T for curve in curves]
    means = np.mean([np.interp(places, steps, values) for steps, values in tracks], axis=0)
    axis.plot(places, means, color=colour, linewidth=1.8, marker=".", label=label)


def _over_radius(results: Results) -> Picture:
    figure, axis = _figure("accuracy under attack, test images", "radius on [-1, 1]")
    radii = (0.0, *results.experiment.scale.radii)
    said = []
    for name, kind, title in rows_of_table_1(results):
        if "figure_6" not in results.experiment.plans[name].items or kind != "last":
            continue
        values = [results.accuracies(name, kind, radius) for radius in radii]
        if not all(values):
            continue
        means = np.array([np.mean(x) for x in values])
        spread = [means - [min(x) for x in values], [max(x) for x in values] - means]
        axis.errorbar(radii, means, spread, label=title, marker=".", capsize=3, linewidth=1.4)
        said.append(f"{title}: {', '.join(f'{x:.1%}' for x in means)}")
    _legend(axis)
    alt = f"Accuracy at radii {', '.join(f'{x:g}' for x in radii)}. {'; '.join(said)}"
    caption = captioned(results, "Means over the seeds, bars from the lowest to the highest.")
    return Picture("figure_6_radius.svg", figure_svg(figure), alt, caption)


def _figure(title: str, places: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axis = figure.subplots()
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(places)
    axis.grid(alpha=0.3)
    return figure, axis


def _legend(axis: Axes) -> None:
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8)
