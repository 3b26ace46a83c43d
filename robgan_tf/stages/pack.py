"""What is packed of a run: all that is needed to use one of its checkpoints and to judge it."""

import dataclasses
import json
import pathlib

from robgan_tf.extensions import FOLDER as EXTENSIONS
from robgan_tf.files import PathLike
from robgan_tf.runs import sessions
from robgan_tf.runs.archive import write_archive
from robgan_tf.runs.data_record import FILE_NAME, DataRecord
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.stages.run_card import run_card

_FILES = ("config.gin", "config.json", "metrics.jsonl", "gap.csv", "gap.png", sessions.FILE_NAME)
_PICTURES = ("samples", "attacks")
# Parts of unfinished evaluations and stored images stay behind: they are in folders.
_EVALUATIONS = ("*.json", "*.md", "*.csv", "*.png")


def pack_run(run: FinishedRun, path: PathLike, data_dir: str | None = None) -> list[str]:
    """Packs a run and its checkpoint into one archive; the same run gives the same bytes.

    Args:
      run: the run, opened at the checkpoint to pack.
      path: the archive, which must not exist.
      data_dir: where the data is of a run that does not say what it is; see `FinishedRun.data`.

    Returns:
      The names of the files in it, sorted.

    Raises:
      UserError: if the archive exists or cannot be written.
    """
    data = run.data(data_dir)
    files = _files(run, data)
    files["README.md"] = run_card(run, data, sorted(files)).encode()
    write_archive(path, run.name, files)
    return sorted(files)


def _files(run: FinishedRun, data: DataRecord) -> dict[str, pathlib.Path | bytes]:
    directory = pathlib.Path(run.path)
    found = [directory / name for name in _FILES]
    found += [path for kind in _PICTURES for path in sorted(directory.glob(f"{kind}/*.png"))[-1:]]
    found += [path for kind in _EVALUATIONS for path in directory.glob(f"evaluations/{kind}")]
    found += directory.glob(f"{EXTENSIONS}/*")
    checkpoint = pathlib.Path(run.checkpoint)
    found += checkpoint.parent.glob(f"{checkpoint.name}.*")
    files: dict[str, pathlib.Path | bytes] = {
        path.relative_to(directory).as_posix(): path for path in found if path.is_file()
    }
    # Of all checkpoints that the run has kept, the archive holds this one.
    state = f'model_checkpoint_path: "{checkpoint.name}"\n'
    state += f'all_model_checkpoint_paths: "{checkpoint.name}"\n'
    files[f"{checkpoint.parent.name}/checkpoint"] = state.encode()
    files[FILE_NAME] = (json.dumps(dataclasses.asdict(data), indent=1) + "\n").encode()
    return files
