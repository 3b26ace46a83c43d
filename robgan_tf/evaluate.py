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

import pathlib

from absl import flags

from robgan_tf.cli import data_flag
from robgan_tf.cli import start as command
from robgan_tf.config.choices import ATTACK_PRESETS, LARGEST_SEED
from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.errors import UserError

_RUN_DIR = flags.DEFINE_multi_string("run_dir", [], "A run's directory; repeat it for more rows.")
_MODEL = flags.DEFINE_multi_string(
    "model", [], "A SavedModel directory or a Keras model file that gives class logits; repeatable."
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "Of runs: last, best, or a step that was kept; last by default, for quality best where there "
    "is one, as in sample.",
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
    "How many real images (of each split for the gap); by default as the attack says, 500 for the "
    "gap.",
    lower_bound=1,
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    None,
    "For quality: how many generated images; 10,000 by default, or all that are stored.",
    lower_bound=1,
)
_SPLITS = flags.DEFINE_integer("splits", 10, "For quality: of the Inception Score.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "Images at a time.", lower_bound=1)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of all random numbers.", lower_bound=0, upper_bound=LARGEST_SEED
)
_MASKING = flags.DEFINE_bool("masking", True, "Look for signs of masked gradients too.")
_SAVE_IMAGES = flags.DEFINE_bool("save_images", False, "Write the adversarial images as npz.")
_FEATURES = flags.DEFINE_string(
    "features",
    None,
    "For quality: pixels, inception2015:FILE, keras_inceptionv3:WEIGHTS, a SavedModel or Keras "
    "file that takes pixels from 0 to 255, FILE.py:FUNCTION, or classifier:RUN_DIR.",
)
_GENERATED = flags.DEFINE_string(
    "generated",
    None,
    "For quality, in place of a run: images of any generator, an npz, class folders or a folder.",
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
_NAME = flags.DEFINE_string(
    "name", None, "Of the result files; by default it says what is measured and how."
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir",
    None,
    "Where results are written: needed by --model and --generated; for quality of a run its "
    "evaluations/ by default.",
)
_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "For --model and --generated: gin files that choose the data."
)
_INPUT_RANGE = flags.DEFINE_list("input_range", ["-1", "1"], "For --model: range of its pixels.")
_INPUT_MEAN = flags.DEFINE_list("input_mean", [], "For --model: mean a channel, in that range.")
_INPUT_DEVIATION = flags.DEFINE_list("input_deviation", [], "For --model: deviation a channel.")

_OF_MODELS = (_GIN_FILE, _OUTPUT_DIR, _INPUT_RANGE, _INPUT_MEAN, _INPUT_DEVIATION)
_FLAGS_OF = {
    "robustness": (
        *(_RUN_DIR, _MODEL, _CHECKPOINT, _ATTACK, _EPSILONS, _NORM, _SPLIT, _IMAGES, _BATCH_SIZE),
        *(_SEED, _MASKING, _SAVE_IMAGES, _NAME, *_OF_MODELS),
    ),
    "gap": (_RUN_DIR, _IMAGES),
    "quality": (
        *(_RUN_DIR, _GENERATED, _CHECKPOINT, _WEIGHTS, _FEATURES, _SPLIT, _SPLITS, _NUM_IMAGES),
        *(_REAL_IMAGES, _BATCH_SIZE, _SEED, _STATISTICS_DIR, _NAME, _OUTPUT_DIR, _GIN_FILE),
    ),
}


def main(kind):
    """Runs the command; returns its exit status.

    Args:
      kind: what to evaluate; "robustness", "gap" or "quality".
    """
    command.refuse_flags_of_others(_FLAGS_OF, kind)
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
    if _RUN_DIR.value:
        command.refuse_flags(_OF_MODELS, "is of --model, and a run has its own")
    else:
        command.refuse_flags([_CHECKPOINT], "is of --run_dir")
    # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
    import tensorflow as tf

    from robgan_tf.robustness.run import Protocol, evaluate_robustness

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
    if not _RUN_DIR.value:
        raise UserError("gap measures the checkpoints of runs: give --run_dir")
    from robgan_tf.data import load_image_data
    from robgan_tf.stages.checkpoint_gap import GAP_IMAGES, measure_checkpoints

    def load_data(config):
        return load_image_data(**config.data.loading(data_flag.data_dir()))

    for run_dir in _RUN_DIR.value:
        measure_checkpoints(run_dir, load_data, _IMAGES.value or GAP_IMAGES)
    return 0


def _quality():
    if len(_RUN_DIR.value) + bool(_GENERATED.value) != 1 or not _FEATURES.value:
        raise UserError(
            "quality measures the generator of one run, or images that are stored: give --run_dir "
            "or --generated, and --features"
        )
    if _GENERATED.value:
        command.refuse_flags([_CHECKPOINT, _WEIGHTS], "is of --run_dir")
        if not _GIN_FILE.value or not _OUTPUT_DIR.value:
            raise UserError(
                "--generated needs --gin_file, which says what data to compare with, and "
                "--output_dir, where results are written"
            )
    else:
        command.refuse_flags([_GIN_FILE], "is of --generated, and a run has its own")
    from robgan_tf.data import load_image_data
    from robgan_tf.quality.run import evaluate_quality
    from robgan_tf.stages.features import open_features
    from robgan_tf.watching.gap import evenly_spaced

    settings, measured_images, directory, statistics = (
        _of_stored_images() if _GENERATED.value else _of_run()
    )
    extractor = open_features(_FEATURES.value, settings.resolution, settings.channels)
    split = _SPLIT.value if _SPLIT.present else "train"
    data = load_image_data(**settings.loading(data_flag.data_dir()))
    real = getattr(data, split)
    # What is wrong with the images is to be said before features of the real ones are computed.
    measured = measured_images(data.class_names)
    table = evaluate_quality(
        measured,
        extractor,
        evenly_spaced(real, _REAL_IMAGES.value or len(real)),
        real_name=split,
        dataset=settings.file_name,
        directory=_OUTPUT_DIR.value or directory,
        statistics_directory=_STATISTICS_DIR.value or statistics / "reference_features",
        name=_NAME.value,
        splits=_SPLITS.value,
        batch_size=_BATCH_SIZE.value,
    )
    print(table)
    return 0


def _of_run():
    """DataSettings, function from class names to MeasuredImages, and directories, for a run."""
    from robgan_tf.quality.measured_images import images_of_run
    from robgan_tf.quality.run import QUALITY_IMAGES
    from robgan_tf.stages.finished import best_or_last, open_run

    (run_dir,) = _RUN_DIR.value
    run = open_run(run_dir, _CHECKPOINT.value or best_or_last(run_dir))
    measured = images_of_run(
        run,
        _NUM_IMAGES.value or QUALITY_IMAGES,
        seed=_SEED.value,
        live=_WEIGHTS.value == "live",
        batch_size=_BATCH_SIZE.value,
    )
    path = pathlib.Path(run_dir)
    return run.config.data, lambda names: measured, path / "evaluations", path.parent


def _of_stored_images():
    """The same for images that any generator made."""
    from robgan_tf.quality.measured_images import stored_images

    settings = read_group(DataSettings, _GIN_FILE.value)
    directory = pathlib.Path(_OUTPUT_DIR.value)

    def measured(class_names):
        return stored_images(
            _GENERATED.value,
            class_names,
            settings,
            _NUM_IMAGES.value,
            seed=_SEED.value,
            batch_size=_BATCH_SIZE.value,
        )

    return settings, measured, directory, directory


def _runs(name):
    """(classifier, where its results go, their name) of each run, and the settings of the data."""
    from robgan_tf.robustness.subjects import discriminator_classifier
    from robgan_tf.stages.finished import open_run

    subjects, first = [], None
    for run_dir in _RUN_DIR.value:
        run = open_run(run_dir, _CHECKPOINT.value or "last")
        first = first or run.config.data
        if _images_of(run.config.data) != _images_of(first):
            raise UserError(
                f"the runs {_RUN_DIR.value[0]} and {run_dir} are on different data: evaluate them "
                "one by one"
            )
        title, at_step = run.name, ""
        if _CHECKPOINT.value not in (None, "last"):
            kind = "best" if _CHECKPOINT.value == "best" else "step"
            title, at_step = f"{title}, {kind} {run.step}", f"_{kind}_{run.step}"
        classifier = discriminator_classifier(
            run.load_classifier(), title, f"{run.model_name} at step {run.step}"
        )
        subjects.append((classifier, pathlib.Path(run_dir) / "evaluations", name + at_step))
    return subjects, first


def _models(name):
    """The same for model files."""
    from robgan_tf.robustness.subjects import InputRange, load_model_file

    if not _GIN_FILE.value:
        raise UserError("--model needs --gin_file, which says what data to use")
    if not _OUTPUT_DIR.value:
        raise UserError("--model needs --output_dir, where results are written")
    limits = _numbers(_INPUT_RANGE)
    if len(limits) != 2:
        raise UserError("--input_range: give two numbers, for instance 0,1")
    input_range = InputRange(*limits, _numbers(_INPUT_MEAN), _numbers(_INPUT_DEVIATION))
    settings = read_group(DataSettings, _GIN_FILE.value)
    subjects = []
    for path in _MODEL.value:
        classifier = load_model_file(path, input_range)
        subjects.append((classifier, _OUTPUT_DIR.value, f"{name}_{classifier.name}"))
    return subjects, settings


def _images_of(settings):
    """What says which images of the split there are, of the settings of the data."""
    names = ["dataset", "resolution", "channels", "num_classes"]
    names += (
        ["test_split"]
        if _SPLIT.value == "test"
        else ["train_split", "validation_examples", "train_examples", "split_seed"]
    )
    return [getattr(settings, name) for name in names]


def _source(settings):
    from robgan_tf.data import load_image_data

    data = load_image_data(**settings.loading(data_flag.data_dir()))
    return getattr(data, _SPLIT.value)


def _numbers(flag):
    try:
        return tuple(float(text) for text in flag.value)
    except ValueError as error:
        raise UserError(f"--{flag.name}={','.join(flag.value)}: not a list of numbers") from error


if __name__ == "__main__":
    command.run(main, kinds=("robustness", "gap", "quality"))
