"""The accuracies a run measured, as the cards of packed runs and of exported models show them."""

from collections.abc import Mapping

from robgan_tf.errors import UserError, one_line
from robgan_tf.json_file import MEASURE_ANEW
from robgan_tf.reporting import format_radius
from robgan_tf.reporting.markdown import table
from robgan_tf.typing import JsonObject


def measured_table(evaluations: Mapping[str, JsonObject]) -> list[str]:
    """Renders evaluations that measured accuracies; nothing if none did.

    Args:
      evaluations: dict from file name to record.

    Returns:
      The lines of a table in Markdown.

    Raises:
      UserError: if an evaluation lacks something or holds something else.
    """
    rows: list[list[str]] = []
    for name, record in evaluations.items():
        try:
            rows += _rows(name, record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"evaluations/{name}.json is damaged ({one_line(error)}): {MEASURE_ANEW}"
            ) from error
    return table(["measured", "of", "radius", "accuracy", "images"], rows) if rows else []


def _rows(name: str, record: JsonObject) -> list[list[str]]:
    if "radii" in record:
        norm = record.get("norm", "linf")
        return [
            [name, record["source"], format_radius(row["epsilon"], norm), *_accuracy(row)]
            for row in record["radii"]
        ]
    if "clean" not in record:
        return []
    # Measured when training ended, which may be long after the checkpoint of the card.
    step = f"step {int(name.removeprefix('step_'))}"
    clean, attacked = (
        _accuracy({"accuracy": record[kind], "images": record["images"]})
        for kind in ("clean", "attacked")
    )
    radius = format_radius(record["epsilon"])
    return [
        ["as it is", step, "0", *clean],
        [f"PGD-{record['attack_steps']}", step, radius, *attacked],
    ]


def _accuracy(row: JsonObject) -> tuple[str, str]:
    return f"{row['accuracy']:.2%}", str(row["images"])
