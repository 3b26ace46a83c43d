"""A result of accuracy under attack as a card: all that another has to know to compare with it.

In the manner of RobustBench's model cards (JSON: threat model, radius, clean and robust accuracy),
with the verdict on every image, so that two cards can be compared image by image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import robgan_tf
from robgan_tf.choices import PROTOCOLS
from robgan_tf.robustness.asked import Protocol
from robgan_tf.robustness.measured import Measured
from robgan_tf.typing import JsonObject

FORMAT = "robgan_tf card of accuracy under attack"
VERSION = 1
# What carries the name AutoAttack if all of it was made: the published ensemble, and its variants.
_AUTOATTACK = "autoattack"


def card(
    found: Measured,
    protocol: Protocol,
    version_of_attacks: int,
    images: JsonObject,
    labels: np.ndarray,
    numbers: np.ndarray,
    locations: np.ndarray | None,
) -> JsonObject:
    """Makes the card of one classifier.

    Args:
      found: the Measured, with radius 0 among its outcomes.
      protocol: the Protocol.
      version_of_attacks: of the attacks of this package.
      images: what is said of the images: their description and digest.
      labels: int [N].
      numbers: int [N], positions in the whole data.
      locations: str [N], ids or paths, or None.

    Returns:
      A JSON-able dict: model, threat_model, attack, clean_accuracy, radii, masking, images with a
      list an image each of index, id, label, clean_prediction and, a radius, fooled_by: "" where
      the image withstood, "clean" where no attack was needed, else the attack that was first.
    """
    clean, *attacked = found.rows
    called = found.called(protocol.attack)
    first = next(iter(found.outcomes.values()))
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": {"name": found.classifier.name, "source": found.classifier.source},
        "threat_model": {"norm": protocol.norm, "pixels": [-1, 1]},
        "attack": {
            "protocol": called,
            "carries_the_name_autoattack": _carries_the_name(protocol.attack, called),
            "replaced": list(found.replaced),
            "seed": protocol.seed,
            "version_of_attacks": version_of_attacks,
            "robgan_tf": robgan_tf.__version__,
            "tensorflow": tf.__version__,
        },
        "clean_accuracy": clean["accuracy"],
        "clean_interval_95": list(clean["interval_95"]),
        "radii": [_radius(row, found.attacks.get(row["epsilon"], ())) for row in attacked],
        "masking": {
            "checked": bool(found.masking.checks),
            "images": found.masking.images,
            "alarms": [check.name for check in found.masking.checks if not check.passed],
        },
        "warnings": list(found.warnings),
        "images": {
            **images,
            "count": len(labels),
            "index": np.asarray(numbers).tolist(),
            "id": None if locations is None else np.asarray(locations).astype(str).tolist(),
            "label": np.asarray(labels).tolist(),
            "clean_prediction": np.asarray(first.predictions).tolist(),
            "fooled_by": {
                f"{epsilon:g}": outcome.fooled_by.tolist()
                for epsilon, outcome in found.outcomes.items()
                if epsilon
            },
        },
    }


def _radius(row: dict[str, Any], attacks: Sequence[str]) -> JsonObject:
    epsilon = row["epsilon"]
    return {
        "epsilon": epsilon,
        "epsilon_255": row["epsilon_255"],
        "robust_accuracy": row["accuracy"],
        "interval_95": list(row["interval_95"]),
        "attacks": list(attacks),
        "fooled_by": row["fooled_by"],
        "seconds": row["seconds"],
    }


def _carries_the_name(protocol: str, called: str) -> bool:
    """Whether all of a variant of AutoAttack was made, so that the protocol keeps its name."""
    is_variant = protocol.split("-")[0].split("_")[0] == _AUTOATTACK
    return is_variant and called == protocol and PROTOCOLS.get(protocol).incomplete is not None
