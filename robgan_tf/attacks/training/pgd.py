"""Projected gradient descent, equation (2) (Madry et al., 2018)."""

from robgan_tf.attacks.pgd import ProjectedGradientDescent

CHOICE = ProjectedGradientDescent
