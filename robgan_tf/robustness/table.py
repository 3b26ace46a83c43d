"""Results of robustness evaluations as Table 1 has them: a row a model, a column a radius."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf.reporting import format_radius
from robgan_tf.reporting.markdown import table
from robgan_tf.robustness.outcome import Outcome, confidence_interval, told
from robgan_tf.robustness.signs import Check, MaskingReport

# What `summary` says of a radius: names and values of different types, as JSON holds them.
Row = dict[str, Any]


def summary(
    outcomes: Mapping[float, Outcome], attacks: Mapping[float, Sequence[str]] | None = None
) -> list[Row]:
    """Accuracies of one model.

    Args:
      outcomes: dict from radius to Outcome; radius 0 is the clean images.
      attacks: dict from radius to the names of the attacks that ran, in order.

    Returns:
      List of dicts, one a radius: accuracy with its 95 % interval, images that each attack was the
      first to fool, on how many images each ran and how many it fooled, seconds.
    """
    rows = []
    for epsilon, outcome in outcomes.items():
        count = len(outcome.fooled_by)
        accuracy = float(outcome.survived.mean())
        names, counts = np.unique(outcome.fooled_by, return_counts=True)
        rows.append(
            {
                "epsilon": epsilon,
                "epsilon_255": epsilon * 127.5,
                "images": count,
                "accuracy": accuracy,
                "interval_95": confidence_interval(accuracy, count),
                "fooled_by": {
                    str(name): int(number)
                    for name, number in zip(names, counts, strict=True)
                    if name
                },
                "parts": outcome.parts((attacks or {}).get(epsilon, ())),
                "seconds": round(outcome.seconds, 1),
            }
        )
    return rows


def markdown(
    results: Mapping[str, Sequence[Row]],
    attack: str,
    norm: str,
    images: str,
    masking: MaskingReport | None = None,
) -> str:
    """Renders the table.

    Args:
      results: dict from the model's name to what `summary` returned; the same radii in each.
      attack: one line on the attacks.
      norm: name of the norm, such as "linf".
      images: one line on the images.
      masking: a MaskingReport, or None.
    """
    radii = [row["epsilon"] for row in next(iter(results.values()))]
    header = ["model", *(format_radius(epsilon, norm) for epsilon in radii)]
    lines = table(header, ([name, *map(_accuracy, rows)] for name, rows in results.items()))
    seconds = sum(row["seconds"] for rows in results.values() for row in rows)
    lines += ["", f"Accuracy with 95 % intervals. {images}. {attack}. {seconds:.0f} s."]
    for name, rows in results.items():
        of_model = f"{name}, " if len(results) > 1 else ""
        for row in rows:
            # Old records tell no parts; of one attack the table says all.
            if len(row.get("parts", ())) > 1:
                radius = format_radius(row["epsilon"], norm)
                lines += ["", f"{of_model}{radius}: {told(row['parts'])} images."]
    if masking is not None and masking.checks:
        checks = (
            (check.name, "yes" if check.passed else "**NO**", check.figures)
            for check in masking.checks
        )
        lines += ["", *table(["of a model that hides nothing", "holds", "measured"], checks)]
        lines += ["", f"Measured on: {masking.images}."]
        lines += _alarm([check for check in masking.checks if not check.passed])
    return "\n".join([*lines, ""])


def _alarm(failed: Sequence[Check]) -> list[str]:
    if not failed:
        return []
    relations = "1 relation does" if len(failed) == 1 else f"{len(failed)} relations do"
    return ["", f"**{relations} not hold: the accuracies under attack may be too high.**"]


def _accuracy(row: Row) -> str:
    low, high = row["interval_95"]
    return f"{row['accuracy']:.2%} ({low:.1%} to {high:.1%})"


def per_sample_csv(
    outcomes: Mapping[float, Outcome],
    norms: Mapping[float, np.ndarray],
    labels: np.ndarray,
    positions: np.ndarray,
    locations: np.ndarray | None,
) -> str:
    """One line an image: index, id, label, clean prediction; then, a radius, who fooled it, norm.

    Index and id lead back to the image: its position in the split's stored order, counted from 0,
    and its path, or the name that the data set gives it if it gives any.

    Args:
      outcomes: dict from radius to Outcome.
      norms: dict from radius to the norms of the perturbations, [N].
      labels: int [N].
      positions: int [N], in stored order of the split.
      locations: str [N], paths or names, or None.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_radii = [
        name for epsilon in outcomes for name in (f"fooled_by_{epsilon:g}", f"norm_{epsilon:g}")
    ]
    writer.writerow(["index", "id", "label", "clean_prediction", *of_radii])
    predictions = next(iter(outcomes.values())).predictions
    for index, label in enumerate(labels):
        location = "" if locations is None else locations[index]
        row = [int(positions[index]), location, int(label), int(predictions[index])]
        for epsilon, outcome in outcomes.items():
            row += [outcome.fooled_by[index], f"{norms[epsilon][index]:.6f}"]
        writer.writerow(row)
    return text.getvalue()
