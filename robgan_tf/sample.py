"""Samples the generator of a run.

    python -m robgan_tf.sample sheet --run_dir=runs/cifar10

draws a PNG with a class a row.

    python -m robgan_tf.sample interpolation --run_dir=runs/cifar10 --between=classes

draws the way from a latent to another, or from a class to the next: as a PNG with a way a row, and
as an animated GIF.

    python -m robgan_tf.sample images --run_dir=runs/cifar10 --num_images=50000

writes PNGs in class folders or one npz, as the finetune command takes them; without a truncation
they are the images that `evaluate quality` measures for the same seed and number. The same command
continues an interrupted folder.

    python -m robgan_tf.sample neighbours --run_dir=runs/cifar10 --features=inception2015:FILE

shows samples beside the nearest training images by those features, to see whether the generator
memorises: as a PNG, and the distances as JSON.

What is there already is never overwritten.
"""

import itertools
import json
import math
import pathlib

from absl import flags

from robgan_tf.cli import data_flag
from robgan_tf.cli import start as command
from robgan_tf.config.choices import LARGEST_SEED
from robgan_tf.errors import UserError

SHEET_CLASSES = 20
NEIGHBOUR_CLASSES = 10
SMALLEST_BOUND = 1e-30

_RUN_DIR = flags.DEFINE_string("run_dir", None, "The run of joint training to sample from.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "best, last, or a step that was kept; best where there is one, else last."
)
_WEIGHTS = flags.DEFINE_enum(
    "weights", "average", ["average", "live"], "The moving average of G, or G itself."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of all random numbers.")
_TRUNCATION = flags.DEFINE_float(
    "truncation", None, "Keep latents within this bound, such as 1: less variety; none by default."
)
_CLASSES = flags.DEFINE_list(
    "classes", None, "Names of classes or their numbers from 0; by default all, or some of many."
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Where files are written; generated/ in the run directory by default."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "Images at a time.")
_COLUMNS = flags.DEFINE_integer("columns", 10, "For sheet: images a row.")
_SHARED_LATENTS = flags.DEFINE_bool(
    "shared_latents", False, "For sheet and interpolation: the same latents in every row."
)
_BETWEEN = flags.DEFINE_enum(
    "between",
    "latents",
    ["latents", "classes"],
    "For interpolation: a class a row, from one latent to another; or a latent a row, from a class "
    "to the next of --classes.",
)
_FRAMES = flags.DEFINE_integer("frames", 9, "For interpolation: images a row of the PNG.")
_GIF_FRAMES = flags.DEFINE_integer("gif_frames", 30, "For interpolation: frames one way.")
_NUM_IMAGES = flags.DEFINE_integer("num_images", 1000, "For images: how many.")
_FORMAT = flags.DEFINE_enum(
    "format", "png", ["png", "npz"], "For images: PNGs in class folders, or one npz."
)
_FEATURES = flags.DEFINE_string(
    "features", None, "For neighbours: a feature extractor, as in evaluate quality."
)
_SAMPLES = flags.DEFINE_integer("samples", 2, "For neighbours: samples of each class.")
_NEIGHBOURS = flags.DEFINE_integer("neighbours", 5, "For neighbours: training images a sample.")
_TRAINING_IMAGES = flags.DEFINE_integer(
    "training_images",
    None,
    "For neighbours: how many training images to compare with, evenly spaced; all by default.",
)
_STATISTICS_DIR = flags.DEFINE_string(
    "statistics_dir",
    None,
    "For neighbours: where features of training images are kept; reference_features beside the "
    "run.",
)

_OF_ALL = (_RUN_DIR, _CHECKPOINT, _WEIGHTS, _SEED, _TRUNCATION, _OUTPUT_DIR, _BATCH_SIZE)
_FLAGS_OF = {
    "sheet": (*_OF_ALL, _CLASSES, _COLUMNS, _SHARED_LATENTS),
    "interpolation": (*_OF_ALL, _CLASSES, _SHARED_LATENTS, _BETWEEN, _FRAMES, _GIF_FRAMES),
    "images": (*_OF_ALL, _NUM_IMAGES, _FORMAT),
    "neighbours": (
        *(*_OF_ALL, _CLASSES, _FEATURES, _SAMPLES, _NEIGHBOURS, _TRAINING_IMAGES),
        _STATISTICS_DIR,
    ),
}


def main(kind):
    """Runs the command; returns its exit status.

    Args:
      kind: what to make; "sheet", "interpolation", "images" or "neighbours".
    """
    command.refuse_flags_of_others(_FLAGS_OF, kind)
    _check_flags(kind)
    # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
    from robgan_tf.stages.finished import best_or_last, open_run

    run = open_run(_RUN_DIR.value, _CHECKPOINT.value or best_or_last(_RUN_DIR.value))
    generator = run.load_generator(live=_WEIGHTS.value == "live")
    print(f"Sampling   {_subject(run)}, seed {_SEED.value}", flush=True)
    make = {
        "sheet": _sheet,
        "interpolation": _interpolation,
        "images": _images,
        "neighbours": _neighbours,
    }
    make[kind](run, generator)
    return 0


def _check_flags(kind):
    if not _RUN_DIR.value:
        raise UserError("what to sample from? give --run_dir")
    # Latents are float32, of which no bound may make nothing but zeros.
    if _TRUNCATION.value is not None and not SMALLEST_BOUND <= _TRUNCATION.value < math.inf:
        raise UserError(f"--truncation={_TRUNCATION.value:g}: give a bound above 0, for instance 1")
    if not 0 <= _SEED.value <= LARGEST_SEED:
        raise UserError(f"--seed={_SEED.value}: give a whole number from 0 to {LARGEST_SEED}")
    least_values = (
        (_BATCH_SIZE, 1),
        (_COLUMNS, 1),
        (_FRAMES, 2),
        (_GIF_FRAMES, 2),
        (_NUM_IMAGES, 1),
        (_SAMPLES, 1),
        (_NEIGHBOURS, 1),
        (_TRAINING_IMAGES, 2),
    )
    for flag, least in least_values:
        if flag.value is not None and flag.value < least:
            raise UserError(f"--{flag.name}={flag.value}: give at least {least}")
    if kind == "neighbours" and not _FEATURES.value:
        raise UserError(
            "nearest by what? give --features, for instance classifier:RUN_DIR; "
            "evaluate quality takes the same"
        )


def _sheet(run, generator):
    from robgan_tf.reporting import png, sample_sheet

    names = _class_names(run, generator)
    labels = _chosen(names, SHEET_CLASSES)
    images = _sampler(generator).sheet(labels, _COLUMNS.value)
    _write(_path("sheet", run, ".png"), png(sample_sheet(images, _row_names(names, labels))))


def _interpolation(run, generator):
    from robgan_tf.reporting import png, sample_sheet
    from robgan_tf.sampling.image_files import back_and_forth_gif

    names = _class_names(run, generator)
    labels = _chosen(names, SHEET_CLASSES)
    sampler = _sampler(generator)
    if _BETWEEN.value == "classes":
        if len(labels) < 2:
            raise UserError(
                "--between=classes needs two classes or more to lead from one to the next"
                + ("; give --classes" if names else ", and this generator has none")
            )
        interpolate, row_names = sampler.between_classes, _pair_names(names, labels)
    else:
        interpolate, row_names = sampler.between_latents, _row_names(names, labels)
    grid = sample_sheet(interpolate(labels, _FRAMES.value), row_names)
    images = interpolate(labels, _GIF_FRAMES.value)
    frames = [sample_sheet(images[:, [k]], row_names) for k in range(images.shape[1])]
    kind = f"interpolation_{_BETWEEN.value}"
    _write(_path(kind, run, ".png"), png(grid))
    _write(_path(kind, run, ".gif"), back_and_forth_gif(frames))


def _images(run, generator):
    from robgan_tf.sampling.image_set import write_folder, write_npz

    names = _class_names(run, generator)
    record = {
        "generator": _subject(run),
        "images": _NUM_IMAGES.value,
        "seed": _SEED.value,
        "truncation": _TRUNCATION.value,
        "classes": list(names),
    }
    path = _path(f"images_{_NUM_IMAGES.value}", run, ".npz" if _FORMAT.value == "npz" else "")
    if _FORMAT.value == "npz":
        count = write_npz(path, generator, record, _BATCH_SIZE.value)
    else:
        count = write_folder(path, generator, names, record, _BATCH_SIZE.value)
    before = _NUM_IMAGES.value - count
    print(f"  written: {path}" + (f" ({before} images were there already)" if before else ""))


def _neighbours(run, generator):
    from robgan_tf.quality.image_features import ReferenceFeatures
    from robgan_tf.reporting import png, to_uint8
    from robgan_tf.sampling.memorising import check_count, compare
    from robgan_tf.stages.features import open_features

    data = run.config.data
    extractor = open_features(_FEATURES.value, data.resolution, data.channels)
    source, name = _training_images(run)
    check_count(source, _NEIGHBOURS.value)
    names = source.class_names if generator.num_classes else ()
    labels = _chosen(names, NEIGHBOUR_CLASSES)
    directory = _STATISTICS_DIR.value or pathlib.Path(run.path).parent / "reference_features"
    reference = ReferenceFeatures(directory, extractor, source, name, _BATCH_SIZE.value)
    print(f"Real       {len(source)} training images: {reference.path}", flush=True)
    features = reference.load().features
    samples = to_uint8(_sampler(generator).sheet(labels, _SAMPLES.value))
    comparison = compare(
        samples.reshape(-1, *samples.shape[2:]),
        [label for label in labels for _ in range(_SAMPLES.value)],
        extractor,
        source,
        features,
        _NEIGHBOURS.value,
    )
    record = {
        "generator": _subject(run),
        "seed": _SEED.value,
        "truncation": _TRUNCATION.value,
        **comparison.record(names),
    }
    kind = f"neighbours_{extractor.name}"
    _write(_path(kind, run, ".png"), png(comparison.picture(names)))
    _write(_path(kind, run, ".json"), json.dumps(record, indent=1) + "\n")
    print(comparison.summary())


def _training_images(run):
    """The images to compare with, and what they are called."""
    from robgan_tf.watching.gap import evenly_spaced

    data = run.config.data
    source = _load_data(run).train
    count = _TRAINING_IMAGES.value or len(source)
    return evenly_spaced(source, count), f"{data.file_name}-train"


def _load_data(run):
    from robgan_tf.data import load_image_data

    return load_image_data(**run.config.data.loading(data_flag.data_dir()))


def _class_names(run, generator):
    """Names of the generator's classes; empty if it has none."""
    return _load_data(run).class_names if generator.num_classes else ()


def _chosen(names, most):
    from robgan_tf.sampling.classes import choose_classes

    return choose_classes(_CLASSES.value, names, most)


def _row_names(names, labels):
    return [names[label] if names else "" for label in labels]


def _pair_names(names, labels):
    shown = _row_names(names, labels)
    return [f"{first} -> {second}" for first, second in itertools.pairwise(shown)]


def _sampler(generator):
    from robgan_tf.sampling.sampler import Sampler

    return Sampler(
        generator, _SEED.value, _TRUNCATION.value, _SHARED_LATENTS.value, _BATCH_SIZE.value
    )


def _subject(run):
    return f"{_WEIGHTS.value} G of {run.identity}"


def _path(kind, run, suffix):
    """Where a result belongs; its name says what it is of, not how much of it is shown."""
    name = f"{kind}_step_{run.step:08d}_seed_{_SEED.value}"
    if _TRUNCATION.value is not None:
        name += f"_truncation_{_TRUNCATION.value:g}"
    if _WEIGHTS.value == "live":
        name += "_live"
    directory = pathlib.Path(_OUTPUT_DIR.value or pathlib.Path(run.path) / "generated")
    return directory / f"{name}{suffix}"


def _write(path, content):
    from robgan_tf.sampling.image_files import write_result

    write_result(path, content)
    print(f"  written: {path}")


if __name__ == "__main__":
    command.run(main, kinds=("sheet", "interpolation", "images", "neighbours"))
