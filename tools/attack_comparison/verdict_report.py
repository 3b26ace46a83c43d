"""The figures of `tools.compare_autoattack`, from its pieces, and their tables."""

from collections.abc import Sequence

import numpy as np

from robgan_tf.reporting.markdown import table
from robgan_tf.typing import JsonObject

SIDES = ("ours", "reference")
MOST_DIFFERENT = 0.005
LEAST_SPEED = 1.5
# On [0, 1], as the field gives them.
RADII = {"linf": "L∞ {:.0f}/255", "l2": "L2 {:g}", "l1": "L1 {:g}"}


def verdicts(pieces: Sequence[JsonObject], clean: np.ndarray) -> dict[str, np.ndarray]:
    """From each side to whether the images are classified correctly, bool [N].

    Args:
      pieces: of one attack.
      clean: bool [N], which images are so without an attack; others are not attacked.
    """
    sides = {side: np.array(clean) for side in SIDES}
    for piece in pieces:
        for side, correct in sides.items():
            correct[piece["rows"]] &= np.array(piece[side]["correct"], bool)
    return sides


def compared(sides: dict[str, np.ndarray]) -> JsonObject:
    """How the verdicts of the two sides differ, as shares of all images."""
    ours, reference = sides["ours"], sides["reference"]
    return {
        "accuracy": {"ours": float(ours.mean()), "reference": float(reference.mean())},
        "fooled_by_ours_alone": int((~ours & reference).sum()),
        "fooled_by_reference_alone": int((ours & ~reference).sum()),
        "different": float((ours != reference).mean()),
    }


def times(pieces: Sequence[JsonObject]) -> JsonObject:
    """Seconds of both sides, and how many times as fast ours is, by processor time.

    Returns:
      Dict of the sums, and of the ratio: of the sums, the median over pieces, and the range.
    """
    seconds = {
        side: np.array([piece[side]["processor_seconds"] for piece in pieces]) for side in SIDES
    }
    ratios = seconds["reference"] / seconds["ours"]
    return {
        "processor_seconds": {side: float(of_side.sum()) for side, of_side in seconds.items()},
        "seconds": {side: float(sum(piece[side]["seconds"] for piece in pieces)) for side in SIDES},
        "times_as_fast": {
            "total": float(seconds["reference"].sum() / seconds["ours"].sum()),
            "median": float(np.median(ratios)),
            "range": [float(ratios.min()), float(ratios.max())],
        },
        "pieces": len(pieces),
    }


def refused(pieces: Sequence[JsonObject]) -> dict[str, list[str]]:
    """What the verifier holds against each side's images."""
    return {
        side: [piece[side]["refused"] for piece in pieces if piece[side]["refused"]]
        for side in SIDES
    }


def in_the_model(pieces: Sequence[JsonObject], costs: JsonObject) -> JsonObject:
    """How much of our time D itself takes.

    Args:
      pieces: of one attack.
      costs: dict from "query" and "gradient" to seconds an image.

    Returns:
      Dict of the queries and gradients that ours took, and of their share of the time.
    """
    queries, gradients, seconds = (
        sum(piece["ours"][name] for piece in pieces)
        for name in ("queries", "gradients", "processor_seconds")
    )
    in_model = gradients * costs["gradient"] + (queries - gradients) * costs["query"]
    return {"queries": queries, "gradients": gradients, "share_of_time": in_model / seconds}


def row(
    name: str, pieces: Sequence[JsonObject], clean: np.ndarray, costs: JsonObject
) -> JsonObject:
    """All figures of one attack."""
    return {
        "in_the_model": in_the_model(pieces, costs["ours"]),
        "attack": name,
        "attacked": sum(len(piece["rows"]) for piece in pieces),
        **compared(verdicts(pieces, clean)),
        **times(pieces),
        "refused": refused(pieces),
    }


def spread(seeds: Sequence[Sequence[JsonObject]], clean: np.ndarray) -> JsonObject:
    """Accuracies of a random attack by seed.

    Args:
      seeds: pieces of each seed.
      clean: bool [N], of the images that were chosen for it.
    """
    found = [compared(verdicts(pieces, clean))["accuracy"] for pieces in seeds]
    accuracies = {side: [accuracy[side] for accuracy in found] for side in SIDES}
    everything = [piece for pieces in seeds for piece in pieces]
    mean = float(np.mean(accuracies["ours"]))
    return {
        "images": len(clean),
        "clean_accuracy": float(clean.mean()),
        "accuracy": accuracies,
        "mean": {side: float(np.mean(of_side)) for side, of_side in accuracies.items()},
        # Weaker is what leaves more images unharmed than the reference ever does.
        "met": mean <= max(accuracies["reference"]) + 1e-9,
        **times(everything),
    }


def markdown(record: JsonObject) -> str:
    """Renders one record."""
    lines = [
        title(record),
        "",
        costs_line(record["costs"]),
        "",
        *table(COLUMNS, [_cells(one) for one in record["rows"]]),
    ]
    if "square_by_seed" in record:
        lines += ["", square_line(record["square_by_seed"])]
    if "fab_steps" in record:
        lines += ["", fab_line(record["fab_steps"])]
    if "by_the_reference_itself" in record:
        lines += ["", ensemble_line(record["by_the_reference_itself"])]
    return "\n".join(lines) + "\n"


COLUMNS = (
    "attack",
    "images attacked",
    "accuracy: ours",
    "reference",
    "verdicts that differ",
    "fooled by ours alone",
    "by the reference alone",
    "times as fast (by batch)",
    "of our time in D",
)


def title(record: JsonObject) -> str:
    """One line on the model, the images and the radius."""
    scale = 255.0 if record["norm"] == "linf" else 1.0
    radius = RADII[record["norm"]].format(scale * record["epsilon"] / 2.0)
    return (
        f"**{record['name']}**, {radius}: {record['chosen']}, "
        f"{record['clean_accuracy']:.1%} correct without an attack"
    )


def costs_line(costs: JsonObject) -> str:
    """One line on what D alone costs."""
    ratios = {kind: costs["reference"][kind] / costs["ours"][kind] for kind in costs["ours"]}
    microseconds = {kind: 1e6 * seconds for kind, seconds in costs["ours"].items()}
    return (
        f"D alone: a query {microseconds['query']:.0f} µs an image, {ratios['query']:.2f} times as "
        f"fast as in PyTorch; a gradient {microseconds['gradient']:.0f} µs, "
        f"{ratios['gradient']:.2f} times."
    )


def square_line(found: JsonObject) -> str:
    """One line on Square alone."""
    accuracy = {
        side: ", ".join(f"{value:.1%}" for value in values)
        for side, values in found["accuracy"].items()
    }
    return (
        f"Square alone on {found['images']} images ({found['clean_accuracy']:.1%} correct), by "
        f"seed: ours {accuracy['ours']}; reference {accuracy['reference']}; means "
        f"{found['mean']['ours']:.2%} and {found['mean']['reference']:.2%}; "
        f"{found['times_as_fast']['total']:.2f} times as fast."
    )


def fab_line(found: JsonObject) -> str:
    """One line on single steps of FAB."""
    largest = found["largest_difference"]
    return (
        f"Single steps of FAB, {found['steps']} from each of {found['images']} images, each from "
        "where the reference's begins: pixels of [-1, 1] differ by at most "
        f"{largest['given_hyperplane']:.1e} with the reference's hyperplanes, "
        f"{largest['own_hyperplane']:.1e} with our own."
    )


def ensemble_line(found: JsonObject) -> str:
    """One line on the reference's own ensemble."""
    low, high = found["times_as_fast"]["range"]
    return (
        f"The whole ensemble, each side as its users run it, {found['images']} images in "
        f"{found['pieces']} blocks in turn: accuracy {found['accuracy']['ours']:.1%} and "
        f"{found['accuracy']['reference']:.1%}, {found['different']:.2%} of verdicts differ, "
        f"{found['times_as_fast']['total']:.2f} times as fast ({low:.2f} to {high:.2f} by block)."
    )


def _cells(row: JsonObject) -> list[str]:
    low, high = row["times_as_fast"]["range"]
    return [
        row["attack"],
        str(row["attacked"]),
        f"{row['accuracy']['ours']:.1%}",
        f"{row['accuracy']['reference']:.1%}",
        f"{row['different']:.2%}",
        str(row["fooled_by_ours_alone"]),
        str(row["fooled_by_reference_alone"]),
        f"{row['times_as_fast']['total']:.2f} ({low:.2f} to {high:.2f})",
        f"{row['in_the_model']['share_of_time']:.0%}" if "in_the_model" in row else "",
    ]
