"""Writes real images, and the same with noise and blur, as npz files, to try a measure on.

    python -m tools.degraded_images --gin_file=gin/cifar10.gin --data_dir=DIR --images=10000 FOLDER

writes FOLDER/test.npz, noise_10.npz, ... of evenly spaced training images (the first of test
images), as `evaluate quality --generated` takes them. A measure that can be trusted finds test
images nearest to training images, and others the farther the more they are degraded.
"""

import argparse
import pathlib
import sys

import numpy as np
import scipy.ndimage

from robgan_tf.cli import start as command  # its environment settings come before TensorFlow
from robgan_tf.typing import PathLike

# isort: split
from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.data import load_image_data

NOISES = (10, 20)  # standard deviations, of 255
BLURS = (0.5, 1.0)  # standard deviations in pixels


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gin_file", required=True)
    parser.add_argument("--data_dir")
    parser.add_argument("--images", type=int, default=10_000)
    arguments = parser.parse_args()
    settings = read_group(DataSettings, [arguments.gin_file])
    data = load_image_data(**settings.loading(arguments.data_dir))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    sources = [source.evenly_spaced(arguments.images) for source in (data.test, data.train)]
    test, train = (source.fetch(np.arange(len(source))) for source in sources)
    _write(arguments.folder / "test.npz", test, sources[0].labels)
    for name, images in degraded(train).items():
        _write(arguments.folder / f"{name}.npz", images, sources[1].labels)
    return 0


def degraded(images: np.ndarray) -> dict[str, np.ndarray]:
    """The same images with noise and with blur.

    Args:
      images: uint8 [N, H, W, C].

    Returns:
      Dict from name to uint8 images of the same shape: noise and blur of rising strength.
    """
    noise = np.random.default_rng(0).normal(size=images.shape).astype(np.float32)
    found = {f"noise_{sigma}": _bytes(images + sigma * noise) for sigma in NOISES}
    for sigma in BLURS:
        blurred = scipy.ndimage.gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0))
        found[f"blur_{sigma:g}"] = _bytes(blurred)
    return found


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _write(path: PathLike, images: np.ndarray, labels: np.ndarray) -> None:
    np.savez(path, image=images, label=labels)
    print(f"written: {path}, {len(images)} images")


if __name__ == "__main__":
    sys.exit(command.finish(main))
