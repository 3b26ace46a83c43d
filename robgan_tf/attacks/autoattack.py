"""The parts of AutoAttack and their budgets, for the protocols that are made of them.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks" (ICML 2020); in L1 "Mind the box: l1-APGD" (ICML 2021).
"""

import functools

from typing_extensions import override

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.objectives import FEWEST_CLASSES
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.square import SCHEDULED_QUERIES, SquareSearch
from robgan_tf.choices import NORMS

STEPS, QUERIES, PASSES = 100, 5000, 20
MOST_TARGETS = 9
_TITLES = {
    "dlr": "Auto-PGD on DLR",
    "targeted_dlr": "Auto-PGD on targeted DLR",
    "margin": "Auto-PGD on the margin",
}


class AutoAttackProtocol(EvaluationProtocol):
    """What all versions of AutoAttack share.

    Where there are too few classes for one of its objectives, another stands in, and the results do
    not carry the name.

    Attributes:
      wanted: objectives of Auto-PGD beside cross-entropy.
    """

    images = 1000
    incomplete = "reduced-ensemble"
    wanted: tuple[str, ...] = ()

    def objectives(self, num_classes: int) -> list[str]:
        """What is maximised in place of each of `wanted`; none twice."""
        found: list[str] = []
        for objective in self.wanted:
            instead = _defined(objective, num_classes)
            if instead not in found:
                found.append(instead)
        return found

    @override
    def replaced(self, num_classes: int) -> tuple[str, ...]:
        return tuple(
            f"Not AutoAttack: {_TITLES[objective]} needs {FEWEST_CLASSES[objective]} classes, and "
            f"there are {num_classes}; {_TITLES[_defined(objective, num_classes)]} stands in for it"
            for objective in self.wanted
            if num_classes < FEWEST_CLASSES[objective]
        )

    @override
    def extra_radii(self, norm: str) -> tuple[float, ...]:
        """8/255 of the [0, 1] scale, at which most papers compare in the L-infinity norm."""
        return (16.0 / 255.0,) if norm == "linf" else ()


def _defined(objective: str, num_classes: int) -> str:
    """The objective, or what comes next to it with so few classes."""
    while num_classes < FEWEST_CLASSES[objective]:
        objective = "dlr" if objective == "targeted_dlr" else "margin"
    return objective


def auto_pgd(
    epsilon: float,
    norm: str,
    objective: str,
    num_classes: int,
    restarts: int = 1,
    targets: int = MOST_TARGETS,
    large_radii: bool = False,
) -> AutoPGD:
    """Auto-PGD with 100 steps; towards the most likely wrong classes with targeted DLR.

    Args:
      epsilon: radius on [-1, 1].
      norm: name of the norm.
      objective: a name in `objectives.OBJECTIVES`.
      num_classes: of the classifier.
      restarts: of an objective without targets.
      targets: how many classes at most.
      large_radii: whether to begin in larger balls, as in L1.
    """
    attack = functools.partial(AutoPGD, epsilon, STEPS, norm, objective, large_radii=large_radii)
    if objective == "targeted_dlr":
        return attack(target_classes=min(targets, num_classes - 1))
    return attack(restarts=restarts)


def targeted_fab(epsilon: float, norm: str, num_classes: int) -> FAB:
    """FAB towards the 9 most likely wrong classes, or as many as there are."""
    return FAB(epsilon, STEPS, norm, target_classes=min(MOST_TARGETS, num_classes - 1))


def square(epsilon: float, norm: str) -> SquareSearch:
    """Square with 5,000 queries, the first half of a schedule of 10,000."""
    return SquareSearch(epsilon, QUERIES, norm, schedule_queries=SCHEDULED_QUERIES)


def is_sparse(norm: str) -> bool:
    """Whether a norm is like L1, for which the budgets are others."""
    return NORMS.get(norm).is_sparse
