"""AutoAttack plus: more starts, and Auto-PGD on DLR and untargeted FAB besides."""

from typing_extensions import override

from robgan_tf.attacks.autoattack import (
    STEPS,
    AutoAttackProtocol,
    auto_pgd,
    square,
    targeted_fab,
)
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.search import AttackSearch


class Plus(AutoAttackProtocol):
    """Cross-entropy, DLR and FAB from 5 starts each, Square, then targeted DLR and FAB."""

    wanted = ("dlr", "targeted_dlr")

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        first, *rest = self.objectives(num_classes)
        return [
            auto_pgd(epsilon, norm, "cross_entropy", num_classes, restarts=5),
            auto_pgd(epsilon, norm, first, num_classes, restarts=5),
            FAB(epsilon, STEPS, norm, restarts=5),
            square(epsilon, norm),
            *(auto_pgd(epsilon, norm, objective, num_classes) for objective in rest),
            targeted_fab(epsilon, norm, num_classes),
        ]


CHOICE = Plus()
