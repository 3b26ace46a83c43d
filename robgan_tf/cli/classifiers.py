"""Flags of what classifiers are evaluated, of runs or from files, and what they open."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, values
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.robustness.subjects import Classifier
    from robgan_tf.stages.finished import FinishedRun

USUAL_RANGE = (-1.0, 1.0)
OF_MODELS = ("input_range", "input_mean", "input_deviation")


@dataclasses.dataclass(frozen=True)
class Opened:
    """A classifier that is to be evaluated.

    Attributes:
      classifier: the Classifier, named so that it is told apart from the others.
      run: the run that it is of; None of a model file.
      ending: what names of its results end in where several are in one folder.
      at_step: what they end in where it is not of the run's last step.
    """

    classifier: "Classifier"
    run: "FinishedRun | None"
    ending: str
    at_step: str = ""


def add_classifiers(parser: Parser) -> None:
    """The flags of runs and of models."""
    flags.add_run_dirs(parser, "A run's directory; repeat it for more rows.")
    parser.flag(
        "checkpoint", "Of runs: last, best, or a step that was kept; last by default.", form="WHICH"
    )
    parser.flag(
        "model",
        "A classifier that gives logits: a SavedModel directory, a Keras or ONNX file, or "
        "FILE.py:FUNCTION, a program run with your rights, whose FUNCTION() returns a function of "
        "TensorFlow, an object with logits and input_gradient of numpy arrays, or a PyTorch "
        "module; repeatable.",
        values.path,
        repeated=True,
        form="WHAT",
    )


def add_input_range(parser: Parser) -> None:
    """The flags of the pixels that models want."""
    parser.group("Input of models")
    parser.flag(
        "input_range",
        "For --model: range of its pixels.",
        values.numbers,
        default=USUAL_RANGE,
        shown="-1,1",
        form="LOW,HIGH",
    )
    for name, meaning in (("input_mean", "mean"), ("input_deviation", "deviation")):
        parser.flag(
            name,
            f"For --model: {meaning} a channel, in that range; none by default.",
            values.numbers,
            default=(),
            form="LIST",
        )


def check_given(given: Values, of_models: Sequence[str] = OF_MODELS) -> None:
    """Refuses flags that belong to the other of runs and models.

    Args:
      given: the flags.
      of_models: names of those that are of models.

    Raises:
      UserError: if one is given, or neither a run nor a model is, or both.
    """
    if bool(given.run_dir) == bool(given.model):
        raise UserError("nothing to evaluate: give either --run_dir or --model")
    if given.run_dir:
        given.refuse(of_models, "is of --model, and a run has its own")
    else:
        given.refuse(["checkpoint"], "is of --run_dir")


def open_classifiers(given: Values) -> list[Opened]:
    """Opens what the flags name."""
    return _runs(given) if given.run_dir else _models(given)


def range_name(given: Values) -> list[str]:
    """Parts of the name of results: the pixels that models want, where they are not the usual."""
    parts = []
    if given.input_range != USUAL_RANGE:
        parts.append("_".join(["range", *(f"{value:g}" for value in given.input_range)]))
    for kind in ("mean", "deviation"):
        if of_channels := getattr(given, f"input_{kind}"):
            parts.append("_".join([kind, *(f"{value:g}" for value in of_channels)]))
    return parts


def _told_apart(paths: Sequence[str]) -> list[str]:
    """Names of models or runs: of each path as many of its last parts as tell it from the rest."""
    parts = [pathlib.Path(path).resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(of_path[-depth:]) for of_path in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError(f"{next(path for path in paths if paths.count(path) > 1)} is given twice")


def _runs(given: Values) -> list[Opened]:
    from robgan_tf.robustness.subjects import discriminator_classifier
    from robgan_tf.stages.finished import open_run

    runs = [open_run(run_dir, given.checkpoint or "last") for run_dir in given.run_dir]
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = _told_apart(given.run_dir)
    opened = []
    for run, of_run in zip(runs, names, strict=True):
        title, at_step = of_run, ""
        if given.checkpoint not in (None, "last"):
            kind = "best" if given.checkpoint == "best" else "step"
            title, at_step = f"{title}, {kind} {run.step}", f"_{kind}_{run.step}"
        classifier = discriminator_classifier(
            run.load_classifier(), title, f"{run.model_name} at step {run.step}"
        )
        opened.append(Opened(classifier, run, _ending(of_run), at_step))
    return opened


def _models(given: Values) -> list[Opened]:
    from robgan_tf.robustness.pixel_range import InputRange
    from robgan_tf.robustness.subject_files import open_classifier

    if len(given.input_range) != 2:
        raise UserError("--input_range: give two numbers, for instance 0,1")
    low, high = given.input_range
    pixels = InputRange(low, high, given.input_mean, given.input_deviation)
    return [
        Opened(dataclasses.replace(open_classifier(path, pixels), name=name), None, _ending(name))
        for path, name in zip(given.model, _told_apart(given.model), strict=True)
    ]


def _ending(name: str) -> str:
    return "_" + name.replace("/", "_").replace(":", "_")
