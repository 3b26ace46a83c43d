"""PGD with 50 steps and 10 random starts on the margin, best iterate kept."""

from typing_extensions import override

from robgan_tf.attacks.pgd_search import PGDSearch
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch


class PGDWithRestarts(EvaluationProtocol):
    """PGD-50-10: steps of a twentieth of the radius."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        step = 2.5 * epsilon / 50
        return [
            PGDSearch(
                epsilon,
                50,
                step,
                norm,
                random_start=True,
                objective="margin",
                restarts=10,
                name="pgd-50-10",
            )
        ]


CHOICE = PGDWithRestarts()
