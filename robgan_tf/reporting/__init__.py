"""What a run tells people: progress, metrics, picture sheets and TensorBoard."""

from typing import TYPE_CHECKING

from robgan_tf.reporting.console import format_duration
from robgan_tf.reporting.images import attack_sheet, png, sample_sheet, save_png, to_uint8
from robgan_tf.reporting.metrics_file import MetricsFile, read_metrics
from robgan_tf.reporting.progress import Progress
from robgan_tf.units import format_radius

if TYPE_CHECKING:
    from robgan_tf.reporting.tensorboard import TensorBoardWriter

__all__ = [
    "MetricsFile",
    "Progress",
    "TensorBoardWriter",
    "attack_sheet",
    "format_duration",
    "format_radius",
    "png",
    "read_metrics",
    "sample_sheet",
    "save_png",
    "to_uint8",
]


def __getattr__(name: str) -> object:
    # What it imports takes a while, and only this class needs it.
    if name == "TensorBoardWriter":
        from robgan_tf.reporting.tensorboard import TensorBoardWriter

        return TensorBoardWriter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
