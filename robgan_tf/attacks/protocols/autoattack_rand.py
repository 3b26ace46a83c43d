"""AutoAttack for models that answer by chance: Auto-PGD on cross-entropy and DLR, 20 passes each.

Gradients are averaged over 20 passes at each point: expectation over transformation (Athalye et
al., ICML 2018).
"""

from typing_extensions import override

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.autoattack import PASSES, STEPS, AutoAttackProtocol
from robgan_tf.attacks.search import AttackSearch


class Randomised(AutoAttackProtocol):
    """The only protocol that takes a model whose answers differ from call to call."""

    randomised = True
    wanted = ("dlr",)

    @override
    def attacks(self, epsilon: float, norm: str, num_classes: int) -> list[AttackSearch]:
        return [
            AutoPGD(epsilon, STEPS, norm, objective, eot=PASSES)
            for objective in ("cross_entropy", *self.objectives(num_classes))
        ]


CHOICE = Randomised()
