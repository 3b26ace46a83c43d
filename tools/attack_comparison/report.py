"""The report of `tools.compare_attacks`: what was asked for, what was measured, what differs."""

from collections.abc import Sequence
from typing import Any

from robgan_tf.reporting import format_radius
from robgan_tf.reporting.markdown import table
from robgan_tf.typing import JsonObject

FOOLBOX, ART = "Foolbox", "ART"
FORMS = {"as_called": "as called", "tuned": "frozen, channels last"}
# What is asked for: accuracies this near, in points; pixels this equal; this many times as fast.
MOST_POINTS = {FOOLBOX: 0.3, ART: 1.0}
LEAST_EQUAL_PIXELS = 0.999
LEAST_SPEED = 5.0
COLUMNS = (
    "attack",
    "library (D in PyTorch)",
    "accuracy: ours",
    "library",
    "points",
    "equal pixels",
    "seconds: ours (compilation)",
    "library",
    "times as fast (by batch)",
    "cold",
    "by processor time",
)
DIFFERENCES = (
    "Foolbox attacks misclassified images too, as our training attack does; ART and our "
    "evaluation attack only those that are classified correctly.",
    "Auto-PGD: ours keeps the first image that fools D, takes fooled images out of the batch at "
    "the next checkpoint and ends it when all are fooled; ART makes all steps and judges the last "
    "image, keeping the random start where that fails.",
    "Auto-PGD: ours takes loss and gradient from one forward pass; ART makes another for the loss.",
    "Auto-PGD: ours starts on the ball's edge, as the paper has it; ART starts within the ball.",
    "Auto-PGD: ours counts a step as a rise if it beats the step before, as the paper has it; ART "
    "if it beats the best so far.",
    "Square: ART's iterations do not count the start, so ours are given one query more.",
    "Square: ours makes one forward pass a query on the batch; ART three: on all images, and on "
    "those not yet fooled before and after the change.",
    "Square: ours draws a square and signs for each image, ART one for all images.",
)


def targets(rows: Sequence[JsonObject]) -> list[JsonObject]:
    """What was asked for, and whether each row meets it.

    Returns:
      A list of dicts with `target`, `measured` and `met`.
    """
    checks = []
    for row in rows:
        name = f"{row['attack']}, {row['library']} {FORMS[row['form']]}"
        if row["attack"] == "FGSM":
            equal = row["equal_pixels"]
            target = f"{name}: at least {LEAST_EQUAL_PIXELS:.1%} of pixels equal"
            checks.append(_check(target, f"{equal:.3%}", equal >= LEAST_EQUAL_PIXELS))
            continue
        most = MOST_POINTS[row["library"]]
        # An accuracy is a count over the images: 0.3 points must not fail by its rounding.
        met = abs(row["points"]) <= most + 1e-9
        checks.append(_check(f"{name}: within {most:g} points", f"{row['points']:+.2f}", met))
        if row["library"] == ART:
            target = f"{name}: at least {LEAST_SPEED:g} times as fast"
            speeds = row["speed"], row["speed_by_processor_time"]
            measured = "{:.2f}, by processor time {:.2f}".format(*speeds)
            checks.append(_check(target, measured, min(speeds) >= LEAST_SPEED))
    return checks


def _check(target: str, measured: Any, met: bool) -> JsonObject:
    return {"target": target, "measured": measured, "met": bool(met)}


def _cells(row: JsonObject) -> list[str]:
    seconds, (slow, fast) = row["seconds"], row["speed_range"]
    return [
        row["attack"],
        f"{row['library']} ({FORMS[row['form']]})",
        f"{row['accuracy']['ours']:.2%}",
        f"{row['accuracy']['library']:.2%}",
        f"{row['points']:+.2f}",
        f"{row['equal_pixels']:.3%}",
        f"{seconds['ours']:.1f} (+{seconds['compilation']:.1f})",
        f"{seconds['library']:.1f}",
        f"{row['speed']:.2f} ({slow:.2f} to {fast:.2f})",
        f"{row['speed_cold']:.2f}",
        f"{row['speed_by_processor_time']:.2f}",
    ]


def markdown(record: JsonObject) -> str:
    """Renders a record: the table, the targets, what differs."""
    lines = [
        f"{record['model']}: {record['chosen']}, epsilon {format_radius(record['epsilon'])}, "
        f"clean accuracy {record['clean_accuracy']:.2%}",
        "",
        *table(COLUMNS, map(_cells, record["rows"])),
        "",
    ]
    for check in record["targets"]:
        verdict = "met" if check["met"] else "NOT MET"
        lines.append(f"- {verdict}: {check['target']}: {check['measured']}")
    return "\n".join([*lines, "", *(f"- {difference}" for difference in record["differences"])])
