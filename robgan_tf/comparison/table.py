"""What `comparison.curves` found, as Markdown for people and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence

from robgan_tf.comparison.curves import AXES, SECONDS, Curve
from robgan_tf.reporting.markdown import cell, table
from robgan_tf.typing import JsonObject


def markdown(report: JsonObject) -> str:
    """Renders what `report` returned."""
    lines = []
    for compared in report["measures"]:
        lines += [*_measure_lines(compared), ""]
    return "\n".join([*lines, *_alarm_lines(report), *_time_lines(report), ""])


def _measure_lines(compared: JsonObject) -> list[str]:
    direction, score = compared["better"], compared["score"]
    if direction is None:
        rows = [[row["run"], _number(row["last"])] for row in compared["runs"]]
        return [f"## `{compared['measure']}`", "", *table(["run", "last"], rows)]
    lines = [f"## `{compared['measure']}`, {direction} is better", ""]
    lines += _run_table(compared["runs"], score)
    if not compared["score_is_given"]:
        lines += ["", f"{score:.5g} is the worst of the runs' best values: every run reaches it."]
    if len(compared["configurations"]) > 1:
        lines += ["", *_configuration_table(compared["configurations"], score)]
    return lines


def _run_table(runs: Sequence[JsonObject], score: float) -> list[str]:
    rows = []
    for row in runs:
        cells = [row["run"], _number(row["last"]), _number(row["best"]), _place(row["best_step"])]
        reach = row["reach"]
        for axis in AXES:
            if axis == "seconds" and not row["has_seconds"]:
                cells.append("not recorded")
            elif reach is None:
                cells.append("not reached")
            else:
                cells.append(f"{'at most ' * reach['is_bound']}{_place(reach[axis])}")
        rows.append(cells)
    header = ["run", "last", "best", "at step", f"reaches {score:.5g} at step"]
    return table([*header, "D updates", "seconds"], rows)


def _configuration_table(configurations: Sequence[JsonObject], score: float) -> list[str]:
    first = configurations[0]["configuration"]
    rows = []
    for row in configurations:
        cells = [row["configuration"], f"{row['seeds_that_reach']} of {row['seeds']}"]
        for axis in AXES:
            place, ratio, kind = row["reach"][axis], row["ratio"][axis], row["ratio_is"]
            bound = "" if kind == "exact" else f"{kind} "
            times = "" if ratio is None or kind == "unknown" else f" ({bound}{ratio:.2f} x)"
            most = "at most " * row["is_bound"]
            cells.append("-" if place is None else f"{most}{_place(place)}{times}")
        rows.append(cells)
    header = ["configuration", f"runs that reach {score:.5g}", "steps", "D updates", "seconds"]
    return [
        *table(header, rows),
        "",
        f"Medians over seeds, in brackets as multiples of {cell(first)}; a run that does not "
        "reach the score counts as one that takes for ever.",
    ]


def _alarm_lines(report: JsonObject) -> list[str]:
    """What the alarms of image quality saw; nothing if no run looked for them."""
    if not any(seen["measurements"] for seen in report["alarms"].values()):
        return []
    rows = [[run, *_alarm_cells(**seen)] for run, seen in report["alarms"].items()]
    return [*table(["run", "measurements of image quality", "alarms"], rows), ""]


def _alarm_cells(measurements: int, alarms: Mapping[str, JsonObject]) -> tuple[str, str]:
    if not measurements:
        return "none", "not looked for"
    seen = [
        f"{name} at {alarm['times']}, from step {alarm['first_step']:,} to {alarm['last_step']:,}"
        for name, alarm in sorted(alarms.items())
    ]
    return str(measurements), "; ".join(seen) or "none"


def _time_lines(report: JsonObject) -> list[str]:
    speeds = report["milliseconds_per_discriminator_update"]
    known = [[name, f"{value:.4g}"] for name, value in speeds.items() if value is not None]
    if not known:
        return [f"No run has its time recorded (`{SECONDS}`)."]
    lines = table(["run", "ms per D update, with its share of G's"], known)
    for share in report["attack_shares"]:
        lines += [
            "",
            f"The attack's share of the time, {cell(share['with_attack'])} against "
            f"{cell(share['without_attack'])}: **{share['share']:.1%}** "
            f"({share['attack_steps']} steps; {share['milliseconds_with']:.4g} and "
            f"{share['milliseconds_without']:.4g} ms per D update).",
        ]
    lines += ["", "Times compare only if they were measured on the same machine, otherwise idle."]
    computed = report["seconds_computed_from_seconds_per_step"]
    if computed:
        shown = ", ".join(f"{cell(run)} {seconds:.4g} s" for run, seconds in computed.items())
        lines += [f"Computed from a time of a step that was measured apart: {shown}."]
    return lines


def _number(value: float) -> str:
    return f"{value:.5g}"


def _place(value: float) -> str:
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def curves_csv(curves: Mapping[str, Sequence[Curve]]) -> str:
    """All points of all curves as CSV, a line a point.

    Args:
      curves: dict from the measure's name to its Curves.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "run", "configuration", "seed", *AXES, "value"])
    for name, of_runs in curves.items():
        for curve in of_runs:
            run = curve.run
            for index, value in enumerate(curve.values):
                row = [name, run.label, run.configuration, run.seed, int(curve.step[index])]
                row.append(f"{curve.discriminator_updates[index]:.10g}")
                row.append("" if curve.seconds is None else f"{curve.seconds[index]:.10g}")
                writer.writerow([*row, repr(float(value))])
    return text.getvalue()
