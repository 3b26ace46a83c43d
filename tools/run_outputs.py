"""What D and G of a run of joint training compute of fixed inputs, to compare two stacks.

python -m tools.run_outputs RUN_DIR OUTPUTS.npz
"""

import argparse
import pathlib
from typing import Any

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import numpy as np
import tensorflow as tf

from robgan_tf.stages.finished import open_run

SAMPLES = 16


def main() -> None:
    """Opens the run and writes the arrays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=pathlib.Path)
    parser.add_argument("outputs", type=pathlib.Path)
    wanted = parser.parse_args()
    run = open_run(wanted.run_dir)
    discriminator: Any = run.load_discriminator()
    generator: Any = run.load_generator()
    random = np.random.default_rng(0)
    images = random.uniform(-1.0, 1.0, [SAMPLES, *discriminator.example_shape[1:]])
    latents = random.normal(size=[SAMPLES, *generator.example_shape[1:]])
    logits, class_logits = discriminator(tf.constant(images, tf.float32), training=False)
    labels = tf.range(SAMPLES) % class_logits.shape[-1]
    made = generator(tf.constant(latents, tf.float32), labels, training=False)
    np.savez(wanted.outputs, logits=logits, class_logits=class_logits, images=made)


if __name__ == "__main__":
    main()
