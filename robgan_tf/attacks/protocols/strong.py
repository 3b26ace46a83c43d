"""Auto-PGD on cross-entropy, then on targeted DLR, then Square with 5,000 queries."""

from typing_extensions import override

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.attacks.square import SquareSearch

MOST_TARGETS = 9


class Strong(EvaluationProtocol):
    """An ensemble like AutoAttack's without FAB: its figures are not AutoAttack's.

    With fewer than 4 classes, Auto-PGD on the margin takes the place of targeted DLR.
    """

    images = 1000

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        if num_classes > 3:
            targets = min(MOST_TARGETS, num_classes - 1)
            second = AutoPGD(epsilon, 100, norm, "targeted_dlr", target_classes=targets)
        else:
            second = AutoPGD(epsilon, 100, norm, "margin")
        return [AutoPGD(epsilon, 100, norm), second, SquareSearch(epsilon, 5000, norm)]

    @override
    def extra_radii(self, norm: str) -> tuple[float, ...]:
        """8/255 of the [0, 1] scale, at which most papers compare in the L-infinity norm."""
        return (16.0 / 255.0,) if norm == "linf" else ()


CHOICE = Strong()
