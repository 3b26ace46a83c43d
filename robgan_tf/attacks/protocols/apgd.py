"""Auto-PGD on cross-entropy alone."""

from typing_extensions import override

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch


class CrossEntropyAutoPGD(EvaluationProtocol):
    """One run of 100 steps."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [AutoPGD(epsilon, 100, norm)]


CHOICE = CrossEntropyAutoPGD()
