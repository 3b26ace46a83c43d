"""Two cards of accuracy under attack compared, image by image."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object
from robgan_tf.reporting import format_radius
from robgan_tf.reporting.markdown import table
from robgan_tf.robustness.card import FORMAT, VERSION
from robgan_tf.robustness.paired import PairedDifference, paired_difference
from robgan_tf.typing import JsonObject, PathLike

_MADE_BY = "a card is what `evaluate robustness` writes as cards/NAME.json"


@dataclasses.dataclass(frozen=True)
class Compared:
    """Two models under one attack of one radius, on the same images.

    Attributes:
      first: name of the first model.
      second: name of the second.
      epsilon: the radius on [-1, 1]; 0 for images as they are.
      accuracies: of both.
      difference: the PairedDifference, second less first.
    """

    first: str
    second: str
    epsilon: float
    accuracies: tuple[float, float]
    difference: PairedDifference


def read_card(path: PathLike) -> JsonObject:
    """Reads a card.

    Raises:
      UserError: if it cannot be read, or is no card of this version.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"the card {path} does not exist; {_MADE_BY}")
    found = read_object(path, _MADE_BY)
    if found.get("format") != FORMAT or found.get("version") != VERSION:
        raise UserError(f"{path} is no card of version {VERSION}; {_MADE_BY}")
    try:
        _verdicts(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a card ({error!r}); {_MADE_BY}") from error
    return found


def compare_cards(cards: Sequence[JsonObject], paths: Sequence[PathLike]) -> list[Compared]:
    """Compares every further card with the first, at every radius.

    Args:
      cards: as from `read_card`, two or more.
      paths: of them, for messages.

    Raises:
      UserError: if two differ in images, norm, attack or radii.
    """
    rows = []
    for card, path in zip(cards[1:], paths[1:], strict=True):
        _refuse_other(cards[0], card, paths[0], path)
        one, other = _verdicts(cards[0]), _verdicts(card)
        rows += [
            Compared(
                cards[0]["model"]["name"],
                card["model"]["name"],
                epsilon,
                (float(one[epsilon].mean()), float(other[epsilon].mean())),
                paired_difference(other[epsilon], one[epsilon]),
            )
            for epsilon in one
        ]
    return rows


def markdown_of_cards(rows: Sequence[Compared], card: JsonObject) -> str:
    """The table of `compare_cards`, `card` being the first."""
    norm, attack = card["threat_model"]["norm"], card["attack"]["protocol"]
    lines = table(
        ["models", "radius", "first", "second", "second less first", "95 % interval", "only one"],
        (
            [
                f"{row.first}, {row.second}",
                format_radius(row.epsilon, norm),
                *(f"{accuracy:.2%}" for accuracy in row.accuracies),
                f"{row.difference.difference:+.2%}",
                "{:+.2%} to {:+.2%}".format(*row.difference.interval_95),
                f"{row.difference.second_only}, {row.difference.first_only}",
            ]
            for row in rows
        ),
    )
    images = card["images"]
    lines += [
        "",
        f"Accuracy of both on the same {images['count']} images ({images['description']}). Attack: "
        f"{attack}. The difference is paired: its interval is of the images that only one of them "
        "withstands, whose numbers are in the last column, first and second.",
        "",
    ]
    return "\n".join(lines)


def as_json(rows: Sequence[Compared]) -> list[JsonObject]:
    """The rows as a script reads them; `difference` is the second's accuracy less the first's."""
    return [
        {
            "first": row.first,
            "second": row.second,
            "epsilon": row.epsilon,
            "accuracies": list(row.accuracies),
            "difference": row.difference.difference,
            "interval_95": list(row.difference.interval_95),
            "only_first_withstands": row.difference.second_only,
            "only_second_withstands": row.difference.first_only,
            "images": row.difference.images,
        }
        for row in rows
    ]


def _verdicts(card: JsonObject) -> dict[float, np.ndarray]:
    """Whether each image withstands, of every radius; of radius 0, whether it is right."""
    images = card["images"]
    right = np.asarray(images["label"]) == np.asarray(images["clean_prediction"])
    withstood: dict[float, np.ndarray] = {0.0: right}
    for epsilon, fooled_by in images["fooled_by"].items():
        withstood[float(epsilon)] = np.array([name == "" for name in fooled_by], bool)
    if any(len(each) != images["count"] or each.ndim != 1 for each in withstood.values()):
        raise ValueError("its lists are of different lengths")
    # What else is looked at.
    _ = card["model"]["name"], [_facts(card)]
    return withstood


def _facts(card: JsonObject) -> dict[str, Any]:
    """What two cards have to have in common."""
    attack = card["attack"]
    return {
        "images": (card["images"]["digest"], card["images"]["count"]),
        "norm": card["threat_model"]["norm"],
        "radius": [f"{row['epsilon']:g}" for row in card["radii"]],
        "attack": (attack["protocol"], attack["version_of_attacks"], attack["seed"]),
    }


def _refuse_other(first: JsonObject, second: JsonObject, one: PathLike, other: PathLike) -> None:
    ours, theirs = _facts(first), _facts(second)
    differing = [name for name in ours if ours[name] != theirs[name]]
    if differing:
        name = differing[0]
        of_images = f"{first['images']['description']}; {second['images']['description']}"
        details = of_images if name == "images" else f"{ours[name]} and {theirs[name]}"
        raise UserError(
            f"{one} and {other} differ in {', '.join(differing)} and cannot be compared: {details}"
        )
