"""Images as folders of PNG files, as a user of either library has them."""

import pathlib

from robgan_tf.data.sources import ImageSource
from robgan_tf.reporting import png


def write_images(source: ImageSource, folder: pathlib.Path, at_once: int = 1000) -> None:
    """Writes all images of a source, each into the folder of its class, numbered in their order.

    Args:
      source: of uint8 images.
      folder: created here.
      at_once: how many are in memory.
    """
    for name in source.class_names:
        (folder / name).mkdir(parents=True)
    for start in range(0, len(source), at_once):
        rows = range(start, min(start + at_once, len(source)))
        for number, image in zip(rows, source.fetch(list(rows)), strict=True):
            path = folder / source.class_names[source.labels[number]] / f"{number:06d}.png"
            path.write_bytes(png(image))
