"""Square search alone: a black box, 5,000 queries."""

from typing_extensions import override

from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch
from robgan_tf.attacks.square import SquareSearch


class Square(EvaluationProtocol):
    """A random search that sees only logits."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [SquareSearch(epsilon, 5000, norm)]


CHOICE = Square()
