"""Attacks: how a perturbation is found. They know a function of images, never a model."""

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.minimal_perturbation import minimal_perturbations
from robgan_tf.attacks.norms.linf import CHOICE as _LINF
from robgan_tf.attacks.perturbed import Perturbed
from robgan_tf.attacks.pgd import ProjectedGradientDescent
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.square import SquareSearch

share_at_edge = _LINF.share_at_edge

__all__ = [
    "FAB",
    "AutoPGD",
    "PGDSearch",
    "Perturbed",
    "ProjectedGradientDescent",
    "SquareSearch",
    "fgsm",
    "minimal_perturbations",
    "share_at_edge",
]
