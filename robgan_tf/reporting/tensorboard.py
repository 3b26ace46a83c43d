"""Scalars, pictures and text for TensorBoard."""

import os
from collections.abc import Callable

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from robgan_tf.reporting.event_file import EventFile
from robgan_tf.reporting.images import png


class TensorBoardWriter:
    """Writes each point once to the one event file of a run, however often the run is resumed.

    What a method writes is out of this process when it returns, so that a kill loses nothing.
    A point is a tag at a step: one that an earlier session wrote is left out.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        start_step: int = -1,
        say: Callable[[str], object] = print,
    ):
        """Opens the directory's event file, or begins one.

        Args:
          log_dir: the directory that TensorBoard is pointed at.
          start_step: no step up to this one will be written.
          say: prints a line, of a damaged file.
        """
        self._start_step = start_step
        # Of earlier sessions, those that will be made again.
        self._points: set[tuple[str, int]] = set()
        self._texts: dict[str, bytes] = {}
        self._file = EventFile(log_dir, self._see, say)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes numbers.

        Args:
          step: the number of steps done.
          values: numbers by tag, for example {"loss_D/real_source": 0.7}.
        """
        summary = Summary()
        for tag, value in values.items():
            summary.MergeFrom(scalar_pb(tag, float(value)))
        self._write(step, summary)

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
        height, width, _ = image.shape
        content = [str(width).encode(), str(height).encode(), png(image)]
        summary = Summary()
        summary.value.add(
            tag=tag,
            metadata=create_summary_metadata(display_name=None, description=None),
            tensor=make_tensor_proto(content),
        )
        self._write(step, summary)

    def text(self, tag: str, step: int, markdown: str) -> None:
        """Writes a text, which TensorBoard shows as Markdown.

        Args:
          tag: the name of the text.
          step: the number of steps done.
          markdown: the text.
        """
        self._write(step, text_pb(tag, markdown))

    def text_once(self, tag: str, step: int, markdown: str) -> None:
        """The same, unless the newest text of the tag was this one already."""
        summary = text_pb(tag, markdown)
        content = _content(summary.value[0])
        if self._texts.get(tag) != content:
            self._texts[tag] = content
            self._file.write(step, summary)

    def flush_to_disk(self) -> None:
        """Returns when everything written would outlive a power cut."""
        self._file.flush_to_disk()

    def close(self) -> None:
        """Closes the event file; writing afterwards is an error."""
        self._file.close()

    def _write(self, step: int, summary: Summary) -> None:
        new = [value for value in summary.value if (value.tag, step) not in self._points]
        if new:
            self._file.write(step, Summary(value=new))

    def _see(self, event: Event) -> None:
        for value in event.summary.value:
            if event.step > self._start_step:
                self._points.add((value.tag, event.step))
            if value.metadata.plugin_data.plugin_name == "text" or value.tag in self._texts:
                self._texts[value.tag] = _content(value)


def _content(text: Summary.Value) -> bytes:
    return b"".join(text.tensor.string_val)
