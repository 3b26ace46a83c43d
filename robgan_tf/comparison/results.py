"""The files of a comparison: table, points, plot and sheets."""

import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from robgan_tf.comparison import curves as convergence
from robgan_tf.comparison import table as convergence_table
from robgan_tf.comparison.curves import Curve
from robgan_tf.comparison.plot import convergence_plot, side_by_side
from robgan_tf.comparison.run import Run
from robgan_tf.comparison.sources import Source
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.typing import JsonObject, PathLike


def output_folder(path: PathLike) -> pathlib.Path:
    """Makes the folder of the results.

    Raises:
      UserError: if that cannot be done.
    """
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output_dir={folder} cannot be used: {error.strerror}") from error
    return folder


def write_comparison(
    folder: pathlib.Path,
    runs: Sequence[Run],
    comparisons: Sequence[JsonObject],
    curves: Mapping[str, Sequence[Curve]],
) -> str:
    """Writes convergence.md, .csv, .json and .png.

    Args:
      folder: where.
      runs: Runs.
      comparisons: of each measure, as from `curves.comparison`.
      curves: dict from measure to the curves of the runs.

    Returns:
      The Markdown table.
    """
    report = convergence.report(runs, comparisons)
    table = convergence_table.markdown(report)
    contents: dict[str, str | bytes] = {
        "md": table,
        "csv": convergence_table.curves_csv(curves),
        "json": json.dumps(report, indent=1) + "\n",
        "png": convergence_plot(comparisons, curves, _caption(runs)),
    }
    for ending, content in contents.items():
        write_atomically(folder / f"convergence.{ending}", content)
    return table


def read_sheets(sources: Sequence[Source], runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Reads the newest sheet of samples of each run, by a name that says run and step.

    Raises:
      UserError: if the runs are of different data, or a sheet is missing or cannot be read.
    """
    classes = {(run.config.get("data.dataset"), run.config.get("data.num_classes")) for run in runs}
    if len(classes) > 1:
        raise UserError("--sheets: the runs are of different data, their rows different classes")
    sheets = {}
    for source, run in zip(sources, runs, strict=True):
        path = _newest_sheet(source.path)
        if path is None:
            raise UserError(
                f"--sheets: {source.path} has none (samples/step_*.png of a run directory, "
                "<record>_samples.png beside a record)"
            )
        step = path.stem.removeprefix("step_")
        name = f"{run.label}, step {int(step):,}" if step.isdecimal() else run.label
        try:
            with Image.open(path) as picture:
                sheets[name] = np.asarray(picture.convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise UserError(f"--sheets: {path} cannot be read: {error}") from error
    return sheets


def write_sheets(folder: pathlib.Path, sheets: dict[str, np.ndarray]) -> pathlib.Path:
    """Writes the sheets beside each other; returns the path of the picture."""
    path = folder / "sheets.png"
    write_atomically(path, side_by_side(sheets))
    return path


def _newest_sheet(path: pathlib.Path) -> pathlib.Path | None:
    if path.is_dir():
        return max((path / "samples").glob("step_*.png"), default=None)
    beside = path.with_name(f"{path.stem}_samples.png")
    return beside if beside.is_file() else None


def _caption(runs: Sequence[Run]) -> str:
    caption = "Dashed: the score to reach. Dots: where a run first does."
    untimed = [run.label for run in runs if not run.has_seconds]
    if untimed:
        caption += f" Without recorded seconds: {'; '.join(untimed)}."
    if not all(run.is_joint for run in runs):
        caption += " D updates of the finetune command are updates of its classifier."
    return caption
