"""Names that commands list."""

from robgan_tf.config.fields import LARGEST_SEED  # noqa: F401

ATTACK_PRESETS = ("published", "strong", "fgsm", "pgd-50-10", "apgd", "square")
