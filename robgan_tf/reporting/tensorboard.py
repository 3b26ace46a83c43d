"""Scalars, pictures and text for TensorBoard."""

import os

import numpy as np
import tensorflow as tf


class TensorBoardWriter:
    """Writes to a new event file in a directory; files of earlier runs stay.

    Everything is on disk when a method returns, because leaving `as_default`
    flushes, so that a kill loses nothing.
    A step that an earlier session already wrote would show twice: whoever
    resumes a run has to leave such steps out.
    """

    def __init__(self, log_dir: str | os.PathLike):
        """Creates the directory and an event file in it.

        Args:
          log_dir: the directory that TensorBoard is pointed at.
        """
        self._writer = tf.summary.create_file_writer(os.fspath(log_dir))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes numbers.

        Args:
          step: the number of steps done.
          values: numbers by tag, for example {"loss_D/real_source": 0.7}.
        """
        with self._writer.as_default(step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def image(self, tag: str, step: int, image: np.ndarray) -> None:
        """Writes one picture.

        Args:
          tag: the name of the picture.
          step: the number of steps done.
          image: uint8 [h, w, 3], in 0..255.

        Raises:
          ValueError: if the picture has another type or shape.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            raise ValueError(
                f"a picture must be uint8 [h, w, 3], not {image.dtype} {list(image.shape)}"
            )
        with self._writer.as_default(step):
            tf.summary.image(tag, image[np.newaxis])

    def text(self, tag: str, step: int, markdown: str) -> None:
        """Writes a text, which TensorBoard shows as Markdown.

        Args:
          tag: the name of the text.
          step: the number of steps done.
          markdown: the text.
        """
        with self._writer.as_default(step):
            tf.summary.text(tag, markdown)

    def flush(self) -> None:
        """Forces everything written so far to disk."""
        self._writer.flush()

    def close(self) -> None:
        """Closes the event file; writing afterwards is an error."""
        self._writer.close()
