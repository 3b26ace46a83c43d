"""Whether a run that was stopped equals one that was not: every tensor, number, point, picture."""

import pathlib
from typing import Any

import tensorflow as tf

from robgan_tf.reporting import read_metrics

_OF_THE_CLOCK = ("speed/", "time/")


def differences(run_dir: pathlib.Path, straight: pathlib.Path, step: int) -> list[str]:
    """Compares two runs with tolerance 0.

    Args:
      run_dir: the one that was stopped.
      straight: the one that was not.
      step: the last one.

    Returns:
      What differs or is left over, each in a few words; nothing if all is equal.
    """
    found = []
    for name, of in (
        ("tensors of the last checkpoint", lambda run: _tensors(run, step)),
        ("lines of metrics.jsonl", _lines),
        ("points of TensorBoard", _points),
        ("pictures", _pictures),
        ("names of files", _names),
    ):
        if of(run_dir) != of(straight):
            found.append(f"{name} of {run_dir.name} differ")
    return found


def counts(straight: pathlib.Path, step: int) -> dict[str, int]:
    """How many of each are compared."""
    return {
        "tensors": len(_tensors(straight, step)),
        "metrics_lines": len(_lines(straight)),
        "tensorboard_points": len(_points(straight)),
        "pictures": len(_pictures(straight)),
    }


def _tensors(run: pathlib.Path, step: int) -> dict[str, tuple]:
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{step}"))
    values = {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.endswith("VARIABLE_VALUE")
    }
    return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in values.items()}


def _lines(run: pathlib.Path) -> list[dict[str, Any]]:
    return [
        {name: x for name, x in record.items() if not name.startswith(_OF_THE_CLOCK)}
        for record in read_metrics(run / "metrics.jsonl")
    ]


def _points(run: pathlib.Path) -> list[tuple[str, int, bytes]]:
    (path,) = (run / "tensorboard").iterdir()
    return sorted(
        (value.tag, event.step, value.tensor.SerializeToString())
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if not value.tag.startswith(_OF_THE_CLOCK)
    )


def _pictures(run: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.glob("*/*.png")}


def _names(run: pathlib.Path) -> set[str]:
    """All files but event files, whose names have a time, and checkpoints of earlier steps.

    A run that was stopped by a signal has saved at steps where others do not.
    """
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    kept = {name for name in names if not name.startswith(("tensorboard/", "checkpoints/step-"))}
    return kept | {f"{len(names)} files"}
