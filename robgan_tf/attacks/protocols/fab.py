"""FAB alone: the nearest misclassified image, 5 runs of 100 steps, 4 of them from random starts."""

from typing_extensions import override

from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch


class FastAdaptiveBoundary(EvaluationProtocol):
    """Untargeted: a backward pass for each wrong class in each step."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [FAB(epsilon, 100, norm, restarts=5)]


CHOICE = FastAdaptiveBoundary()
