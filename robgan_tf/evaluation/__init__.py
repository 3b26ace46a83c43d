"""What is measured: accuracy under attack, local Lipschitz values, image quality."""

from typing import TYPE_CHECKING

from robgan_tf.quality.measures.fid import frechet_distance
from robgan_tf.quality.measures.inception_score import inception_score
from robgan_tf.quality.measures.kid import kernel_distance
from robgan_tf.quality.measures.precision_recall import precision_recall
from robgan_tf.quality.moments import FeatureStatistics

if TYPE_CHECKING:
    from robgan_tf.losses.lipschitz import local_lipschitz_values
    from robgan_tf.robustness.accuracy import accuracy_under_attack

__all__ = [
    "FeatureStatistics",
    "accuracy_under_attack",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "local_lipschitz_values",
    "precision_recall",
]


def __getattr__(name: str) -> object:
    # TensorFlow takes seconds to import, and reports of finished runs do without.
    if name == "accuracy_under_attack":
        from robgan_tf.robustness.accuracy import accuracy_under_attack

        return accuracy_under_attack
    if name == "local_lipschitz_values":
        from robgan_tf.losses.lipschitz import local_lipschitz_values

        return local_lipschitz_values
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
