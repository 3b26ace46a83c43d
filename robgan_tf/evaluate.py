"""Evaluates what training made.

    python -m robgan_tf.evaluate robustness --run_dir=runs/cifar10 --attack=published

measures accuracy under attack: of a run's discriminator (--run_dir, repeatable) or of any
SavedModel or Keras file with class logits (--model). The same command continues an interrupted
evaluation.
"""

import os
import pathlib

from absl import flags

from robgan_tf import command
from robgan_tf.choices import ATTACK_PRESETS
from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import CONFIGURABLES, DataSettings

_RUN_DIR = flags.DEFINE_multi_string("run_dir", [], "A run's directory; repeat it for more rows.")
_MODEL = flags.DEFINE_multi_string(
    "model", [], "A SavedModel directory or a Keras model file that gives class logits; repeatable."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "Of runs: last, or a step that was kept.")
_ATTACK = flags.DEFINE_string(
    "attack", "published", f"The protocol: one of {', '.join(ATTACK_PRESETS)}."
)
_EPSILONS = flags.DEFINE_list(
    "epsilons", ["0.02", "0.04", "0.08"], "Radii on images in [-1, 1]; 8/255 of [0, 1] is 0.0627."
)
_NORM = flags.DEFINE_enum("norm", "linf", ["linf", "l2"], "Norm of the radii.")
_SPLIT = flags.DEFINE_enum("split", "test", ["test", "train", "validation"], "Which images.")
_IMAGES = flags.DEFINE_integer(
    "images", None, "How many images; the attack's own number if not given."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "Images at a time.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of all random numbers.")
_MASKING = flags.DEFINE_bool("masking", True, "Look for signs of masked gradients too.")
_SAVE_IMAGES = flags.DEFINE_bool("save_images", False, "Write the adversarial images as npz.")
_NAME = flags.DEFINE_string("name", None, "Of the result files; robustness_<attack>_<split>.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "For --model: where results are written.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data is, as in training.")
_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "For --model: gin files that choose the data."
)
_INPUT_RANGE = flags.DEFINE_list("input_range", ["-1", "1"], "For --model: range of its pixels.")
_INPUT_MEAN = flags.DEFINE_list("input_mean", [], "For --model: mean a channel, in that range.")
_INPUT_DEVIATION = flags.DEFINE_list("input_deviation", [], "For --model: deviation a channel.")


def main(kind):
    """Runs the command; returns its exit status.

    Args:
      kind: what to evaluate; "robustness".
    """
    del kind
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


def _runs(name):
    """(classifier, where its results go, their name) of each run, and the settings of the data."""
    from robgan_tf.evaluation.classifier import discriminator_classifier
    from robgan_tf.training.finished_run import load_discriminator, read_run_settings

    subjects, first = [], None
    for run_dir in _RUN_DIR.value:
        settings = read_run_settings(run_dir)
        first = first or settings
        if settings[DataSettings] != first[DataSettings]:
            raise UserError(
                f"the runs {_RUN_DIR.value[0]} and {run_dir} are on different data: evaluate them "
                "one by one"
            )
        discriminator, step = load_discriminator(run_dir, settings, _CHECKPOINT.value)
        classifier = discriminator_classifier(
            discriminator, pathlib.Path(run_dir).name, f"discriminator at step {step}"
        )
        at_step = "" if _CHECKPOINT.value == "last" else f"_step_{step}"
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
    settings = read_settings(_GIN_FILE.value, [], CONFIGURABLES)
    subjects = []
    for path in _MODEL.value:
        classifier = load_model_file(path, input_range)
        subjects.append((classifier, _OUTPUT_DIR.value, f"{name}_{classifier.name}"))
    return subjects, settings


def _source(settings):
    from robgan_tf.data import load_image_data

    data_dir = _DATA_DIR.value or os.environ.get("TFDS_DATA_DIR")
    return getattr(load_image_data(**settings[DataSettings].loading(data_dir)), _SPLIT.value)


def _numbers(flag):
    try:
        return tuple(float(text) for text in flag.value)
    except ValueError as error:
        raise UserError(f"--{flag.name}={','.join(flag.value)}: not a list of numbers") from error


if __name__ == "__main__":
    command.run(main, kinds=("robustness",))
