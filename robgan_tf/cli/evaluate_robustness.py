"""evaluate robustness: accuracy of classifiers under attack."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from robgan_tf.choices import NORMS, PROTOCOLS
from robgan_tf.cli import classifiers, flags, values
from robgan_tf.cli.classifiers import (
    Opened,
    add_classifiers,
    add_input_range,
    check_given,
    open_classifiers,
    range_name,
)
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.errors import UserError
from robgan_tf.files import digest

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.data.sources import ImageSource
    from robgan_tf.robustness.asked import Protocol

OF_MODELS = ("gin_file", *classifiers.OF_MODELS)
_OF_GIN_FILES = ("gin_file", "data_dir", "split")
_USUAL_RADII = (0.02, 0.04, 0.08)
_USUAL_NORM = "linf"
_LONGEST_RADII = 60  # characters of a file's name
# What says which images of a split there are, of the settings of the data.
_IMAGES = ("dataset", "resolution", "channels", "num_classes")
_TEST_IMAGES = (*_IMAGES, "test_split")
_TRAINING_IMAGES = (*_IMAGES, "train_split", "validation_examples", "train_examples", "split_seed")


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to evaluate, and on what data")
    flags.add_data_gin_file(parser, "For --model: gin files that choose the data.")
    add_classifiers(parser)
    flags.add_data_dir(parser)
    flags.add_extension(parser)
    parser.flag(
        "data",
        "An npz file of the images, in place of gin files: x, uint8 or floats in [0, 1] or [-1, "
        "1], and y, their classes.",
        values.path,
        form="FILE.npz",
    )
    parser.flag(
        "class_names",
        "For --data: names of the classes, in order.",
        values.texts,
        default=(),
        form="LIST",
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
        "Radii: numbers on [-1, 1], or k/255 of the [0, 1] scale (8/255 is 0.0627; in L2 and L1 "
        "likewise twice as much as there).",
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
    flags.add_replicas(parser)
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
    add_input_range(parser)


def evaluate(given: Values) -> int:
    """Evaluates as the flags say."""
    flags.load_extensions(given)
    given.attack = PROTOCOLS.canonical(given.attack)
    values.check_choice("attack", given.attack, PROTOCOLS)
    values.check_choice("norm", given.norm, NORMS)
    check_given(given, OF_MODELS)
    _check_data(given)
    # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
    with tensorflow_loading():
        import tensorflow as tf

        from robgan_tf.robustness.run import evaluate_robustness

    # Every attack at every radius is compiled once: the advice against that is no news.
    tf.get_logger().setLevel("ERROR")
    with flags.shares(given) as shares:
        protocol = _protocol(given, shares.devices)
        name = given.name or result_name(given)
        opened = open_classifiers(given)
        source = _source(given, opened)
        subjects = [(x.classifier, _directory(x, given), _name(x, given, name)) for x in opened]
        print(evaluate_robustness(subjects, source, protocol, given.images, shares.peers))
    return 0


def _protocol(given: Values, devices: Sequence[str]) -> "Protocol":
    """What is asked, apart from models and images."""
    from robgan_tf.robustness.asked import Protocol

    return Protocol(
        attack=given.attack,
        epsilons=given.epsilons,
        norm=given.norm,
        seed=given.seed,
        batch_size=given.batch_size,
        masking=given.masking,
        save_images=given.save_images,
        devices=tuple(devices),
    )


def _check_data(given: Values) -> None:
    """Refuses flags about the data that do not go together."""
    if given.data:
        given.refuse(_OF_GIN_FILES, "is not of --data")
    else:
        given.refuse(["class_names"], "is of --data")
    if given.model and not (given.gin_file or given.data):
        raise UserError("--model needs --gin_file or --data, which say what images to use")
    if given.model and not given.output_dir:
        raise UserError("--model needs --output_dir, where results are written")


def result_name(given: Values) -> str:
    """The name of the result files: what was asked, as far as it is not the usual."""
    data = pathlib.Path(given.data).stem if given.data else given.split
    parts = ["robustness", given.attack, data]
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
    parts += range_name(given)
    return "_".join(parts)


def _directory(opened: Opened, given: Values) -> str:
    """Where results of a classifier go."""
    if opened.run is None:
        return given.output_dir
    return str(opened.run.results("evaluations", given.output_dir))


def _name(opened: Opened, given: Values, name: str) -> str:
    """What they are called: in one folder the results of several runs need names of their own."""
    is_named = opened.run is None or (given.output_dir and len(given.run_dir) > 1)
    return name + (opened.ending if is_named else "") + opened.at_step


def _source(given: Values, opened: Sequence[Opened]) -> "ImageSource":
    """The images that are attacked."""
    if given.data:
        from robgan_tf.data.array_file import read_array_file

        found, line = read_array_file(given.data, given.class_names)
        print(line, flush=True)
        return found
    from robgan_tf.data.overlap import overlap_warning

    if given.run_dir:
        data = _data_of_runs(given, opened)
    else:
        data = read_group(DataSettings, given.gin_file)
    images = flags.load_data(data, given, _classes_of(given.run_dir))
    warning = None if given.split == "train" else overlap_warning(images, [given.split])
    if warning is not None:
        print(warning, flush=True)
    return getattr(images, given.split)


def _data_of_runs(given: Values, opened: Sequence[Opened]) -> DataSettings:
    """The settings of the data that all runs have in common."""
    settings = [x.run.config.data for x in opened if x.run is not None]
    first, *others = settings
    for other, run_dir in zip(others, given.run_dir[1:], strict=True):
        if _images_of(other, given.split) != _images_of(first, given.split):
            raise UserError(
                f"the runs {given.run_dir[0]} and {run_dir} are on different data: evaluate them "
                "one by one"
            )
    return first


def _classes_of(run_dirs: Sequence[str]) -> tuple[str, ...] | None:
    """The classes that runs were trained on; None where none of them says."""
    from robgan_tf.stages.finished import trained_classes

    known = {trained_classes(run_dir) for run_dir in run_dirs} - {None}
    if len(known) > 1:
        raise UserError("the runs were trained on different classes: evaluate them one by one")
    return next(iter(known), None)


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
