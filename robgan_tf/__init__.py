"""Rob-GAN for TensorFlow: generator, discriminator and attacker trained together.

Liu and Hsieh, "Rob-GAN: Generator, Discriminator, and Adversarial Attacker",
CVPR 2019.

    import robgan_tf

    run = robgan_tf.load_run("runs/quickstart")
    images, labels = run.sample(16)
    names = run.classify(images, "names")
    found = robgan_tf.robust_accuracy(run, images, labels, epsilon="8/255")
"""

import importlib
from typing import TYPE_CHECKING

from robgan_tf.choices import register

if TYPE_CHECKING:
    from robgan_tf.errors import UserError
    from robgan_tf.library.robust_accuracy import RobustAccuracy, robust_accuracy
    from robgan_tf.library.run import Run, load_run
    from robgan_tf.robustness.pixel_range import InputRange

__version__ = "0.2.0"

__all__ = [
    "InputRange",
    "RobustAccuracy",
    "Run",
    "UserError",
    "load_run",
    "register",
    "robust_accuracy",
]

_HOMES = {
    "InputRange": "robgan_tf.robustness.pixel_range",
    "RobustAccuracy": "robgan_tf.library.robust_accuracy",
    "Run": "robgan_tf.library.run",
    "UserError": "robgan_tf.errors",
    "load_run": "robgan_tf.library.run",
    "robust_accuracy": "robgan_tf.library.robust_accuracy",
}


def __getattr__(name: str) -> object:
    # TensorFlow takes seconds to import: it is when something that needs it is first asked for.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
