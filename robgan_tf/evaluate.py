"""Evaluates what training made.

    python -m robgan_tf.evaluate robustness --run_dir=runs/cifar10 --attack=published

measures accuracy under attack: of a run's discriminator (--run_dir, repeatable) or of any
SavedModel or Keras file with class logits (--model). The same command continues an interrupted
evaluation.

    python -m robgan_tf.evaluate gap --run_dir=runs/cifar10

measures every kept checkpoint of a run on training, validation and test images: accuracy clean and
under attack, mean local Lipschitz value; as CSV and as a plot (Figures 2 and 6).

    python -m robgan_tf.evaluate quality --run_dir=runs/cifar10 --features=inception2015:FILE

compares images of a run's generator with real ones: Inception Score, Fréchet distance, kernel
distance, precision and recall, on the features of any extractor.
"""

import dataclasses
import pathlib

import numpy as np
from absl import flags

from robgan_tf import command, data_flag
from robgan_tf.choices import ATTACK_PRESETS
from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import DataSettings

_RUN_DIR = flags.DEFINE_multi_string("run_dir", [], "A run's directory; repeat it for more rows.")
_MODEL = flags.DEFINE_multi_string(
    "model", [], "A SavedModel directory or a Keras model file that gives class logits; repeatable."
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "last", "Of runs: last, best, or a step that was kept."
)
_ATTACK = flags.DEFINE_string(
    "attack", "published", f"The protocol: one of {', '.join(ATTACK_PRESETS)}."
)
_EPSILONS = flags.DEFINE_list(
    "epsilons", ["0.02", "0.04", "0.08"], "Radii on images in [-1, 1]; 8/255 of [0, 1] is 0.0627."
)
_NORM = flags.DEFINE_enum("norm", "linf", ["linf", "l2"], "Norm of the radii.")
_SPLIT = flags.DEFINE_enum(
    "split",
    "test",
    ["test", "train", "validation"],
    "Which real images; for quality, train if not given.",
)
_IMAGES = flags.DEFINE_integer(
    "images",
    None,
    "How many images (of each split for the gap); by default as the attack says, or 500.",
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "Images at a time.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of all random numbers.")
_MASKING = flags.DEFINE_bool("masking", True, "Look for signs of masked gradients too.")
_SAVE_IMAGES = flags.DEFINE_bool("save_images", False, "Write the adversarial images as npz.")
_FEATURES = flags.DEFINE_string(
    "features",
    None,
    "For quality: pixels, inception2015:FILE, keras_inceptionv3:WEIGHTS, a SavedModel or Keras "
    "file, FILE.py:FUNCTION, or classifier:RUN_DIR.",
)
_GENERATED = flags.DEFINE_string(
    "generated",
    None,
    "For quality, in place of a run: images of any generator, an npz or class folders.",
)
_REAL_IMAGES = flags.DEFINE_integer(
    "real_images",
    None,
    "For quality: how many real images, evenly spaced; all by default.",
    lower_bound=1,
)
_WEIGHTS = flags.DEFINE_enum(
    "weights", "average", ["average", "live"], "For quality: the moving average of G, or G itself."
)
_STATISTICS_DIR = flags.DEFINE_string(
    "statistics_dir",
    None,
    "For quality: where features of real images are kept; reference_features beside the run.",
)
_NAME = flags.DEFINE_string("name", None, "Of the result files; robustness_<attack>_<split>.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "For --model and --generated: where results are written."
)
_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "For --model and --generated: gin files that choose the data."
)
_INPUT_RANGE = flags.DEFINE_list("input_range", ["-1", "1"], "For --model: range of its pixels.")
_INPUT_MEAN = flags.DEFINE_list("input_mean", [], "For --model: mean a channel, in that range.")
_INPUT_DEVIATION = flags.DEFINE_list("input_deviation", [], "For --model: deviation a channel.")


def main(kind):
    """Runs the command; returns its exit status.

    Args:
      kind: what to evaluate; "robustness", "gap" or "quality".
    """
    return {"robustness": _robustness, "gap": _gap, "quality": _quality}[kind]()


def _robustness():
    if _ATTACK.value not in ATTACK_PRESETS:
        raise UserError(
            f"attack {_ATTACK.value!r} does not exist; choose one of {', '.join(ATTACK_PRESETS)}"
        )
    epsilons = _numbers(_EPSILONS)
    if not epsilons or min(epsilons) <= 0.0:
        raise UserError("--epsilons: give radii above 0, for instance 0.02,0.04,0.08")
    if bool(_RUN_DIR.value) == bool(_MODEL.value):
        raise UserError("nothing to evaluate: give either --run_dir or --model")
    # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
    import tensorflow as tf

    from robgan_tf.evaluation.robustness_run import Protocol, evaluate_robustness

    # Every attack at every radius is compiled once: the advice against that is no news.
    tf.get_logger().setLevel("ERROR")
    protocol = Protocol(
        attack=_ATTACK.value,
        epsilons=epsilons,
        norm=_NORM.value,
        seed=_SEED.value,
        batch_size=_BATCH_SIZE.value,
        masking=_MASKING.value,
        save_images=_SAVE_IMAGES.value,
    )
    name = _NAME.value or f"robustness_{_ATTACK.value}_{_SPLIT.value}"
    subjects, settings = _runs(name) if _RUN_DIR.value else _models(name)
    source = _source(settings)
    print(evaluate_robustness(subjects, source, protocol, _IMAGES.value))
    return 0


def _gap():
    if not _RUN_DIR.value or _MODEL.value:
        raise UserError("gap measures the checkpoints of runs: give --run_dir")
    from robgan_tf.data import load_image_data
    from robgan_tf.training.checkpoint_gap import GAP_IMAGES, measure_checkpoints

    def load_data(settings):
        return load_image_data(**settings[DataSettings].loading(data_flag.data_dir()))

    for run_dir in _RUN_DIR.value:
        measure_checkpoints(run_dir, load_data, _IMAGES.value or GAP_IMAGES)
    return 0


def _quality():
    if len(_RUN_DIR.value) + bool(_GENERATED.value) != 1 or not _FEATURES.value:
        raise UserError(
            "quality measures the generator of one run, or images that are stored: give --run_dir "
            "or --generated, and --features"
        )
    from robgan_tf.data import load_image_data
    from robgan_tf.evaluation.gap import evenly_spaced
    from robgan_tf.evaluation.quality_run import evaluate_quality
    from robgan_tf.training.opened_features import open_features

    prepare = _stored_images if _GENERATED.value else _images_of_run
    settings, make_batches, naming = prepare()
    extractor = open_features(_FEATURES.value, settings.resolution, settings.channels)
    split = _SPLIT.value if _SPLIT.present else "train"
    data = load_image_data(**settings.loading(data_flag.data_dir()))
    real = getattr(data, split)
    print(
        evaluate_quality(
            make_batches(data.class_names),
            extractor,
            evenly_spaced(real, _REAL_IMAGES.value or len(real)),
            subject=naming.subject,
            real_name=split,
            has_classes=naming.has_classes,
            dataset=settings.file_name,
            name=f"quality_{naming.prefix}{extractor.name}_{naming.images}",
            directory=naming.directory,
            statistics_directory=_STATISTICS_DIR.value or naming.statistics_directory,
            batch_size=_BATCH_SIZE.value,
        )
    )
    return 0


@dataclasses.dataclass(frozen=True)
class _Naming:
    """What results of quality are called, and where they go."""

    subject: str
    has_classes: bool
    prefix: str
    images: str
    directory: pathlib.Path
    statistics_directory: pathlib.Path


def _images_of_run():
    """DataSettings, function from class names to batches, and naming, of images of a run's G."""
    from robgan_tf.evaluation.generated_set import generated_set
    from robgan_tf.evaluation.quality_run import QUALITY_IMAGES
    from robgan_tf.training.finished_run import open_run

    (run_dir,) = _RUN_DIR.value
    run = open_run(run_dir, _CHECKPOINT.value)
    generator = run.load_generator(live=_WEIGHTS.value == "live")
    images, seed = _IMAGES.value or QUALITY_IMAGES, _SEED.value
    path = pathlib.Path(run_dir)
    naming = _Naming(
        f"{images} images of the {_WEIGHTS.value} G of {run.identity}, seed {seed}",
        bool(generator.num_classes),
        "",
        str(images),
        path / "evaluations",
        path.parent / "reference_features",
    )
    return (
        run.settings[DataSettings],
        lambda names: generated_set(generator, images, seed, _BATCH_SIZE.value),
        naming,
    )


def _stored_images():
    """The same of images that any generator made, stored as npz or class folders."""
    from robgan_tf.data.generated import load_generated_images

    if not _GIN_FILE.value or not _OUTPUT_DIR.value:
        raise UserError(
            "--generated needs --gin_file, which says what data to compare with, and --output_dir, "
            "where results are written"
        )
    settings = read_settings(_GIN_FILE.value, [], (DataSettings,))[DataSettings]
    path = pathlib.Path(_GENERATED.value)

    def batches(class_names):
        stored = load_generated_images(
            path, class_names, resolution=settings.resolution, channels=settings.channels
        )
        # Stored class by class, the splits of the Inception Score would be of one class each.
        order = np.random.default_rng(_SEED.value).permutation(len(stored))[: _IMAGES.value]
        for start in range(0, len(order), _BATCH_SIZE.value):
            chosen = order[start : start + _BATCH_SIZE.value]
            yield stored.fetch(chosen), stored.labels[chosen]

    directory = pathlib.Path(_OUTPUT_DIR.value)
    count = str(_IMAGES.value or "all")
    naming = _Naming(
        f"{count} images of {path.name}",
        True,
        f"{path.stem}_",
        count,
        directory,
        directory / "reference_features",
    )
    return settings, batches, naming


def _runs(name):
    """(classifier, where its results go, their name) of each run, and the settings of the data."""
    from robgan_tf.evaluation.classifier import discriminator_classifier
    from robgan_tf.training.finished_run import open_run

    subjects, first = [], None
    for run_dir in _RUN_DIR.value:
        run = open_run(run_dir, _CHECKPOINT.value)
        first = first or run.settings
        if _images_of(run.settings) != _images_of(first):
            raise UserError(
                f"the runs {_RUN_DIR.value[0]} and {run_dir} are on different data: evaluate them "
                "one by one"
            )
        title, at_step = pathlib.Path(run_dir).name, ""
        if _CHECKPOINT.value != "last":
            kind = "best" if _CHECKPOINT.value == "best" else "step"
            title, at_step = f"{title}, {kind} {run.step}", f"_{kind}_{run.step}"
        classifier = discriminator_classifier(
            run.load_classifier(), title, f"{run.model_name} at step {run.step}"
        )
        subjects.append((classifier, pathlib.Path(run_dir) / "evaluations", name + at_step))
    return subjects, first


def _models(name):
    """The same for model files."""
    from robgan_tf.evaluation.classifier import InputRange, load_model_file

    if not _GIN_FILE.value:
        raise UserError("--model needs --gin_file, which says what data to use")
    if not _OUTPUT_DIR.value:
        raise UserError("--model needs --output_dir, where results are written")
    limits = _numbers(_INPUT_RANGE)
    if len(limits) != 2:
        raise UserError("--input_range: give two numbers, for instance 0,1")
    input_range = InputRange(*limits, _numbers(_INPUT_MEAN), _numbers(_INPUT_DEVIATION))
    settings = read_settings(_GIN_FILE.value, [], (DataSettings,))
    subjects = []
    for path in _MODEL.value:
        classifier = load_model_file(path, input_range)
        subjects.append((classifier, _OUTPUT_DIR.value, f"{name}_{classifier.name}"))
    return subjects, settings


def _images_of(settings):
    """What says which images of the split there are, of the settings of the data."""
    data = settings[DataSettings]
    names = ["dataset", "resolution", "channels", "num_classes"]
    names += (
        ["test_split"]
        if _SPLIT.value == "test"
        else ["train_split", "validation_examples", "train_examples", "split_seed"]
    )
    return [getattr(data, name) for name in names]


def _source(settings):
    from robgan_tf.data import load_image_data

    data = load_image_data(**settings[DataSettings].loading(data_flag.data_dir()))
    return getattr(data, _SPLIT.value)


def _numbers(flag):
    try:
        return tuple(float(text) for text in flag.value)
    except ValueError as error:
        raise UserError(f"--{flag.name}={','.join(flag.value)}: not a list of numbers") from error


if __name__ == "__main__":
    command.run(main, kinds=("robustness", "gap", "quality"))
