"""What the export command does: the parts of a run, each into a version directory."""

import functools
import pathlib
from collections.abc import Sequence

from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.serving.exported_parts import build_part, parts_of
from robgan_tf.serving.model_card import model_card
from robgan_tf.serving.onnx_export import DIRECTORY_SUFFIX, onnx_part, write_onnx
from robgan_tf.serving.saved_model import write_saved_model
from robgan_tf.serving.versions import check_free, write_version
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.typing import JsonObject, PathLike

# What the one label of a generator without classes is called.
WITHOUT_CLASSES = ("image",)


def export_parts(
    run: FinishedRun,
    class_names: Sequence[str],
    export_dir: PathLike,
    what: Sequence[str] | None = None,
    version: int | None = None,
    file_format: str = "saved_model",
) -> dict[str, pathlib.Path]:
    """Exports parts of a run.

    Args:
      run: a FinishedRun.
      class_names: of its data.
      export_dir: where `<part>/<version>/` are written.
      what: names of parts; None for all that the run has.
      version: an integer for all of them, or None for the next free one of each.
      file_format: "saved_model", or "onnx", which goes to `<part>_onnx/<version>/`.

    Returns:
      Dict from the part's name to the path of its version.

    Raises:
      UserError: if the run has no such part, or the version exists.
    """
    names, is_onnx = what or parts_of(run), file_format == "onnx"
    if run.is_joint and run.config.discriminator.head == "none":
        class_names = WITHOUT_CLASSES
    suffix, write = (DIRECTORY_SUFFIX, write_onnx) if is_onnx else ("", write_saved_model)
    directories = {name: pathlib.Path(export_dir) / f"{name}{suffix}" for name in names}
    # Building the models takes seconds.
    for directory in directories.values():
        check_free(directory, version)
    evaluations = read_evaluations(run)
    # All are built before any is written: a part that the run lacks leaves nothing behind.
    parts = {name: build_part(run, name, class_names) for name in names}
    if is_onnx:
        parts = {name: onnx_part(part) for name, part in parts.items()}
    paths = {}
    for name, part in parts.items():
        measured = {} if name == "generator" else evaluations
        card = model_card(run, name, part, class_names, measured)
        paths[name] = write_version(
            directories[name],
            functools.partial(write, part=part, card=card),
            version,
        )
    return paths


def read_evaluations(run: FinishedRun) -> dict[str, JsonObject]:
    """The evaluations of the run's directory that are of the run's checkpoint.

    Returns:
      Dict from file name to record.
    """
    found = {}
    for path in sorted((pathlib.Path(run.path) / "evaluations").glob("*.json")):
        record = read_object(path, MEASURE_ANEW)
        if path.stem == f"step_{run.step:08d}" or f"at step {run.step} " in _source(record):
            found[path.stem] = record
    return found


def _source(record: JsonObject) -> str:
    return f"{record.get('source', '')} "
