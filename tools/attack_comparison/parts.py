"""The parts of AutoAttack that are compared: ours, and what is asked of the reference."""

import dataclasses

from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.typing import JsonObject

STEPS, TARGETS, QUERIES = 100, 9, 5000
# What the reference is told; ours are those of the protocol `autoattack`.
L1_TARGETS, L1_RESTARTS = 5, 5
SQUARE = "square"


@dataclasses.dataclass(frozen=True)
class Part:
    """One attack of the ensemble.

    Attributes:
      name: for tables.
      attack: ours.
      request: the reference's attack and its budget, as the worker takes them.
      same_starts: whether both begin at the same points.
    """

    name: str
    attack: AttackSearch
    request: JsonObject
    same_starts: bool = False

    @property
    def is_deterministic(self) -> bool:
        """Whether the reference does the same whenever it is asked."""
        return self.name != SQUARE


def parts(norm: str, epsilon: float, num_classes: int) -> list[Part]:
    """The parts of the standard ensemble, in its order.

    Args:
      norm: name of the norm.
      epsilon: radius on [-1, 1].
      num_classes: of the classifier, at least 10.
    """
    first, targeted, boundary, square = make_attacks("autoattack", epsilon, norm, num_classes)
    # In L1 each run goes through three radii, and the reference draws the first start itself.
    same_starts = norm != "l1"
    restarts, targets = (L1_RESTARTS, L1_TARGETS) if norm == "l1" else (1, TARGETS)
    ball = {"norm": norm, "epsilon": epsilon}
    return [
        Part(
            "apgd-ce",
            first,
            {"attack": "apgd_ce", **ball, "n_iter": STEPS, "n_restarts": restarts},
            same_starts,
        ),
        Part(
            "apgd-t",
            targeted,
            {"attack": "apgd_t", **ball, "n_iter": STEPS, "n_target_classes": targets},
            same_starts,
        ),
        Part(
            "fab-t",
            boundary,
            {"attack": "fab_t", **ball, "n_iter": STEPS, "n_target_classes": TARGETS},
        ),
        Part(SQUARE, square, {"attack": "square", **ball, "n_queries": QUERIES}),
    ]
