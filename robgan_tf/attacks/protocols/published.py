"""The paper's PGD: 20 steps of a fifth of the radius, no random start, where it ends."""

from typing_extensions import override

from robgan_tf.attacks.pgd_search import PGDSearch
from robgan_tf.attacks.protocol import EvaluationProtocol
from robgan_tf.attacks.search import AttackSearch


class Published(EvaluationProtocol):
    """PGD-20 as in Table 1 and Figures 2 and 6."""

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        del num_classes
        return [PGDSearch(epsilon, 20, epsilon / 5, norm, keep="last", name="pgd-20")]


CHOICE = Published()
