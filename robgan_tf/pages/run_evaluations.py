"""What was measured of a run after training, as tables of its page."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from robgan_tf.comparison.measures import better_direction, is_of_features
from robgan_tf.errors import UserError, one_line
from robgan_tf.json_file import MEASURE_ANEW
from robgan_tf.pages.page import Block, Table, Text
from robgan_tf.reporting import format_radius
from robgan_tf.robustness.outcome import told
from robgan_tf.typing import JsonObject


def robustness(evaluations: Mapping[str, JsonObject]) -> list[Block]:
    """Accuracy under attack: a table an evaluation, a row a radius."""
    blocks: list[Block] = []
    for name, found in evaluations.items():
        if "radii" not in found:
            continue
        with _whole(name):
            norm = found.get("norm", "linf")
            rows = [
                [
                    format_radius(row["epsilon"], norm),
                    f"{row['accuracy']:.2%}",
                    "{:.1%} to {:.1%}".format(*row["interval_95"]),
                    _fooled(row),
                ]
                for row in found["radii"]
            ]
            caption = (
                f"{found['source']}, attack {found['attack']}, seed {found['seed']}. "
                f"{found['images']}. evaluations/{name}.json"
            )
            header = ["radius", "accuracy", "95 % interval", "attacks, by images"]
            blocks.append(Table(header, rows, caption))
            blocks += [Text(warning, is_note=True) for warning in found.get("warnings", [])]
    return blocks


def _fooled(row: JsonObject) -> str:
    """What the attacks were given and left; of earlier evaluations, what each fooled first."""
    if row.get("parts"):
        return told(row["parts"])
    return ", ".join(f"{name} {count:,}" for name, count in row.get("fooled_by", {}).items())


def masking(evaluations: Mapping[str, JsonObject]) -> list[Block]:
    """The relations that hold of a model that does not hide its gradients."""
    blocks: list[Block] = []
    for name, found in evaluations.items():
        if not found.get("masking"):
            continue
        with _whole(name):
            rows = [
                [check["name"], "yes" if check["passed"] else "NO", check["figures"]]
                for check in found["masking"]
            ]
            caption = f"{found.get('masking_images', '')}. evaluations/{name}.json"
            blocks.append(
                Table(["of a model that hides nothing", "holds", "measured"], rows, caption)
            )
            if any(not check["passed"] for check in found["masking"]):
                text = "A relation does not hold: the accuracies under attack may be too high."
                blocks.append(Text(text, is_note=True))
    return blocks


def quality(evaluations: Mapping[str, JsonObject], records: Sequence[JsonObject]) -> list[Block]:
    """Image quality by named measure, measured afterwards and while training."""
    blocks: list[Block] = []
    for name, found in evaluations.items():
        if "values" not in found:
            continue
        with _whole(name):
            rows = [[measure, f"{value:.5g}"] for measure, value in found["values"].items()]
            caption = f"{found['subject']}, against {found['real']}. evaluations/{name}.json"
            blocks.append(Table(["measure", "value"], rows, caption))
            if found.get("by_class"):
                by_class = [[x, f"{value:.5g}"] for x, value in found["by_class"].items()]
                blocks.append(Table(["class", "Fréchet distance"], by_class))
            blocks += [Text(f"Note: {note}.") for note in found.get("notes", [])]
    measured = _measures(records)
    if measured:
        caption = "While training. Features and counts are in the names; others do not compare."
        header = ["measure", "last", "best", "at step", "better is"]
        blocks.append(Table(header, measured, caption))
    return blocks


def _measures(records: Sequence[JsonObject]) -> list[list[str]]:
    names = sorted({x for record in records for x in record if is_of_features(x)})
    rows = []
    for name in names:
        points = [(record[name], record["step"]) for record in records if name in record]
        direction = better_direction(name)
        best, step = (min if direction == "lower" else max)(points)
        shown = ["-", "-"] if direction is None else [f"{best:.5g}", f"{step:,}"]
        rows.append([name, f"{points[-1][0]:.5g}", *shown, direction or "neither"])
    return rows


@contextlib.contextmanager
def _whole(name: str) -> Iterator[None]:
    """Says of an evaluation that lacks something which one it is."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"evaluations/{name}.json is damaged ({one_line(error)}): {MEASURE_ANEW}"
        ) from error
