"""evaluate robustness: accuracy of classifiers under attack."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from robgan_tf.choices import NORMS, PROTOCOLS
from robgan_tf.cli import flags, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.errors import UserError
from robgan_tf.files import digest

OF_MODELS = ("gin_file", "input_range", "input_mean", "input_deviation")
_USUAL_RADII = (0.02, 0.04, 0.08)
_USUAL_NORM = "linf"
_USUAL_RANGE = (-1.0, 1.0)
_LONGEST_RADII = 60  # characters of a file's name
# What says which images of a split there are, of the settings of the data.
_IMAGES = ("dataset", "resolution", "channels", "num_classes")
_TEST_IMAGES = (*_IMAGES, "test_split")
_TRAINING_IMAGES = (*_IMAGES, "train_split", "validation_examples", "train_examples", "split_seed")


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to evaluate, and on what data")
    flags.add_data_gin_file(parser, "For --model: gin files that choose the data.")
    flags.add_run_dirs(parser, "A run's directory; repeat it for more rows.")
    flags.add_data_dir(parser)
    flags.add_extension(parser)
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
    flags.add_split(parser, "test")
    parser.flag(
        "images",
        "How many real images; by default all, or as the attack says.",
        values.whole(1),
        form="NUMBER",
    )
    parser.group("Attack")
    parser.flag(
        "attack",
        f"The protocol: {', '.join(PROTOCOLS.shipped())}, or what an extension adds.",
        default="published",
        form="NAME",
    )
    parser.flag(
        "epsilons",
        "Radii: numbers on [-1, 1], or k/255 of the [0, 1] scale (8/255 is 0.0627; in L2 likewise "
        "twice as much as there).",
        values.radii,
        default=_USUAL_RADII,
        shown="0.02,0.04,0.08",
        form="LIST",
    )
    parser.flag(
        "norm",
        f"Norm of the radii: {', '.join(NORMS.shipped())}, or what an extension adds.",
        default=_USUAL_NORM,
        form="NORM",
    )
    flags.add_seed(parser)
    flags.add_batch_size(parser)
    parser.flag(
        "replicas",
        "Devices that share the images, each with --batch_size of them at a time: GPUs, or without "
        "one parts of the CPU. They change no result.",
        values.whole(1),
        default=1,
        form="NUMBER",
    )
    parser.switch("masking", "Look for signs of masked gradients too.", default=True)
    parser.group("Results")
    parser.flag(
        "name",
        "Of the result files; by default it says what is measured and how.",
        values.file_name,
        form="NAME",
    )
    parser.flag(
        "output_dir",
        "Where results are written; evaluations/ of the run by default, needed by --model and by "
        "archives.",
        values.path,
        form="DIR",
    )
    parser.switch("save_images", "Write the adversarial images as npz.")
    parser.group("Input of models")
    parser.flag(
        "input_range",
        "For --model: range of its pixels.",
        values.numbers,
        default=_USUAL_RANGE,
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


def evaluate(given: Values) -> int:
    """Evaluates as the flags say."""
    flags.load_extensions(given)
    given.attack = PROTOCOLS.canonical(given.attack)
    values.check_choice("attack", given.attack, PROTOCOLS)
    values.check_choice("norm", given.norm, NORMS)
    if bool(given.run_dir) == bool(given.model):
        raise UserError("nothing to evaluate: give either --run_dir or --model")
    if given.run_dir:
        given.refuse(OF_MODELS, "is of --model, and a run has its own")
    else:
        given.refuse(["checkpoint"], "is of --run_dir")
    # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
    with tensorflow_loading():
        import tensorflow as tf

        from robgan_tf.data.overlap import overlap_warning
        from robgan_tf.robustness.run import Protocol, evaluate_robustness
        from robgan_tf.training.distribution import replica_devices

    # Every attack at every radius is compiled once: the advice against that is no news.
    tf.get_logger().setLevel("ERROR")
    devices = replica_devices(given.replicas, "--replicas") if given.replicas > 1 else ()
    protocol = Protocol(
        attack=given.attack,
        epsilons=given.epsilons,
        norm=given.norm,
        seed=given.seed,
        batch_size=given.batch_size,
        masking=given.masking,
        save_images=given.save_images,
        devices=tuple(devices),
    )
    name = given.name or result_name(given)
    subjects, data = _runs(given, name) if given.run_dir else _models(given, name)
    images = flags.load_data(data, given, _classes_of(given.run_dir))
    warning = None if given.split == "train" else overlap_warning(images, [given.split])
    if warning is not None:
        print(warning, flush=True)
    source = getattr(images, given.split)
    print(evaluate_robustness(subjects, source, protocol, given.images))
    return 0


def result_name(given: Values) -> str:
    """The name of the result files: what was asked, as far as it is not the usual."""
    parts = ["robustness", given.attack, given.split]
    if given.images is not None:
        parts.append(f"{given.images}_images")
    if given.norm != _USUAL_NORM:
        parts.append(given.norm)
    radii = "_".join(f"{epsilon:g}" for epsilon in sorted(given.epsilons))
    if tuple(sorted(given.epsilons)) != _USUAL_RADII:
        if len(radii) > _LONGEST_RADII:
            radii = digest(radii.encode())
        parts.append(f"epsilon_{radii}")
    if given.seed:
        parts.append(f"seed_{given.seed}")
    if given.input_range != _USUAL_RANGE:
        parts.append("_".join(["range", *(f"{value:g}" for value in given.input_range)]))
    for kind in ("mean", "deviation"):
        if of_channels := getattr(given, f"input_{kind}"):
            parts.append("_".join([kind, *(f"{value:g}" for value in of_channels)]))
    return "_".join(parts)


def _told_apart(paths: Sequence[str]) -> list[str]:
    """Names of models or runs: of each path as many of its last parts as tell it from the rest."""
    parts = [pathlib.Path(path).resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(of_path[-depth:]) for of_path in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError(f"{next(path for path in paths if paths.count(path) > 1)} is given twice")


def _runs(given: Values, name: str) -> tuple[list[tuple], DataSettings]:
    """(classifier, where its results go, their name) of each run, and the settings of the data."""
    from robgan_tf.robustness.subjects import discriminator_classifier
    from robgan_tf.stages.finished import open_run

    runs = [open_run(run_dir, given.checkpoint or "last") for run_dir in given.run_dir]
    first = runs[0].config.data
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = _told_apart(given.run_dir)
    subjects = []
    for run, of_run, run_dir in zip(runs, names, given.run_dir, strict=True):
        if _images_of(run.config.data, given.split) != _images_of(first, given.split):
            raise UserError(
                f"the runs {given.run_dir[0]} and {run_dir} are on different data: evaluate them "
                "one by one"
            )
        title, at_step = of_run, ""
        if given.checkpoint not in (None, "last"):
            kind = "best" if given.checkpoint == "best" else "step"
            title, at_step = f"{title}, {kind} {run.step}", f"_{kind}_{run.step}"
        classifier = discriminator_classifier(
            run.load_classifier(), title, f"{run.model_name} at step {run.step}"
        )
        directory = run.results("evaluations", given.output_dir)
        # In one folder the results of several runs need names of their own.
        needs_name = given.output_dir and len(runs) > 1
        ending = "_" + of_run.replace("/", "_") if needs_name else ""
        subjects.append((classifier, directory, name + ending + at_step))
    return subjects, first


def _classes_of(run_dirs: Sequence[str]) -> tuple[str, ...] | None:
    """The classes that runs were trained on; None where none of them says."""
    from robgan_tf.stages.finished import trained_classes

    known = {trained_classes(run_dir) for run_dir in run_dirs} - {None}
    if len(known) > 1:
        raise UserError("the runs were trained on different classes: evaluate them one by one")
    return next(iter(known), None)


def _models(given: Values, name: str) -> tuple[list[tuple], DataSettings]:
    """The same for model files."""
    from robgan_tf.robustness.pixel_range import InputRange
    from robgan_tf.robustness.subject_files import open_classifier

    if not given.gin_file:
        raise UserError("--model needs --gin_file, which says what data to use")
    if not given.output_dir:
        raise UserError("--model needs --output_dir, where results are written")
    if len(given.input_range) != 2:
        raise UserError("--input_range: give two numbers, for instance 0,1")
    low, high = given.input_range
    input_range = InputRange(low, high, given.input_mean, given.input_deviation)
    data = read_group(DataSettings, given.gin_file)
    subjects = []
    for path, of_model in zip(given.model, _told_apart(given.model), strict=True):
        classifier = dataclasses.replace(open_classifier(path, input_range), name=of_model)
        ending = "_" + of_model.replace("/", "_").replace(":", "_")
        subjects.append((classifier, given.output_dir, name + ending))
    return subjects, data


def _images_of(data: DataSettings, split: str) -> list[Any]:
    """What says which images of a split there are."""
    names = _TEST_IMAGES if split == "test" else _TRAINING_IMAGES
    return [getattr(data, name) for name in names]


COMMAND = Command(
    "evaluate robustness",
    "Measures accuracy under attack. What is attacked is a run's classifier, or a model of "
    "any framework (--model). The same command continues an interrupted evaluation.",
    "--run_dir=runs/quickstart --attack=strong --epsilons=8/255,0.04",
    add_flags,
    evaluate,
    kept="finished parts are kept; the same command continues",
)
