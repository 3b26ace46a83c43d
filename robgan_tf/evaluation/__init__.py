"""What is measured: accuracy under attack and local Lipschitz values."""

from robgan_tf.evaluation.accuracy import accuracy_under_attack
from robgan_tf.evaluation.lipschitz import local_lipschitz_values

__all__ = ["accuracy_under_attack", "local_lipschitz_values"]
