"""The card of a packed run: what it is, what it was made of, how good it is, how to use it."""

import pathlib
from collections.abc import Sequence

import robgan_tf
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.reporting import format_radius
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.stages.measured import measured_table

_MOST_CLASSES = 20


def run_card(run: FinishedRun, data: DataRecord, files: Sequence[str]) -> str:
    """Writes the card as Markdown.

    Args:
      run: the run, opened at the checkpoint that is packed.
      data: what the run says of its data.
      files: names of the files beside the card.
    """
    height, width, channels = data.image_shape
    lines = [
        f"# {run.name}",
        "",
        _what(run),
        "",
        f"- checkpoint: step {run.step}, {pathlib.Path(run.checkpoint).parent.name}",
        f"- data: {data.description}",
        f"- images: {height}x{width}x{channels}; floats are in [-1, 1], p / 127.5 - 1 of a byte p",
        f"- {len(data.class_names)} classes: {_listed(data.class_names)}",
        f"- training images' fingerprint: {data.fingerprint or 'not taken'}",
        f"- packed by robgan_tf {robgan_tf.__version__}",
        "",
        "## How it was trained",
        "",
        _attack(run),
        "",
        "Every setting is in config.gin.",
        "",
        *_measured(run),
        "## How to use it",
        "",
        "```python",
        "import robgan_tf",
        "",
        f'run = robgan_tf.load_run("{run.name}.tar.gz")',
        *(["images, labels = run.sample(16)"] if run.is_joint else []),
        'names = run.classify(images, "names")  # floats in [-1, 1] or uint8',
        "```",
        "",
        "Every command takes the archive as --run_dir.",
        "",
        "## What is in it",
        "",
        *(f"- {name}" for name in files),
    ]
    return "\n".join([*lines, ""])


def _what(run: FinishedRun) -> str:
    if run.is_joint:
        return "A generator and a discriminator of Rob-GAN (Liu and Hsieh, CVPR 2019)."
    return "A classifier of Rob-GAN's second stage or of its baselines (Liu and Hsieh, CVPR 2019)."


def _attack(run: FinishedRun) -> str:
    attack, stage = run.config.attack, run.config.stage
    length = f"{stage.steps} steps of batch {stage.batch_size}, {stage.precision}"
    if not attack.steps:
        return f"{length}, without an attack."
    radius = format_radius(attack.epsilon, attack.norm)
    return f"{length}, under an attack of {attack.steps} steps and radius {radius}."


def _measured(run: FinishedRun) -> list[str]:
    paths = sorted(pathlib.Path(run.path).glob("evaluations/*.json"))
    lines = measured_table({path.stem: read_object(path, MEASURE_ANEW) for path in paths})
    return ["## What was measured", "", *lines, ""] if lines else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_CLASSES]) + (", ..." if len(names) > _MOST_CLASSES else "")
