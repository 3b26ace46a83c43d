"""Targeted FAB alone: 100 steps towards each of the 9 most likely wrong classes."""

from typing_extensions import override

from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch

MOST_TARGETS = 9


class TargetedFastAdaptiveBoundary(EvaluationProtocol):
    """As in AutoAttack; with fewer than 10 classes, towards all wrong ones."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        targets = min(MOST_TARGETS, num_classes - 1)
        return [FAB(epsilon, 100, norm, target_classes=targets)]


CHOICE = TargetedFastAdaptiveBoundary()
