"""AutoAttack: Auto-PGD on cross-entropy and targeted DLR, targeted FAB, Square of 5,000 queries."""

from typing_extensions import override

from robgan_tf.attacks.autoattack import (
    MOST_TARGETS,
    AutoAttackProtocol,
    auto_pgd,
    is_sparse,
    square,
    targeted_fab,
)
from robgan_tf.attacks.search import AttackSearch


class Standard(AutoAttackProtocol):
    """The standard version; in L1 with 5 starts, 5 target classes, and larger radii first."""

    wanted = ("targeted_dlr",)

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        sparse = is_sparse(norm)
        restarts, targets = (5, 5) if sparse else (1, MOST_TARGETS)
        return [
            *(
                auto_pgd(epsilon, norm, objective, num_classes, restarts, targets, sparse)
                for objective in ("cross_entropy", *self.objectives(num_classes))
            ),
            targeted_fab(epsilon, norm, num_classes),
            square(epsilon, norm),
        ]


CHOICE = Standard()
