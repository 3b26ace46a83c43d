"""FGSM: one step of the whole radius (Goodfellow et al., 2015)."""

from typing_extensions import override

from robgan_tf.attacks.pgd_search import fgsm
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch


class FGSM(EvaluationProtocol):
    """One step of the whole radius."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [fgsm(epsilon, norm)]


CHOICE = FGSM()
