"""Attacks: how a perturbation is found. They know a function of images, never a model."""

from robgan_tf.attacks.norms.linf import CHOICE as _LINF
from robgan_tf.attacks.pgd import ProjectedGradientDescent

share_at_edge = _LINF.share_at_edge

__all__ = ["ProjectedGradientDescent", "share_at_edge"]
