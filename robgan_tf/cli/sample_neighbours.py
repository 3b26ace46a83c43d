"""sample neighbours: samples beside the nearest training images."""

import json
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, sampling, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.data.sources import ImageSource

_CLASSES = 10


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    sampling.add_flags(parser)
    parser.group("Neighbours")
    flags.add_features(parser)
    sampling.add_classes(parser)
    parser.flag("samples", "Samples of each class.", values.whole(1), default=2, form="NUMBER")
    parser.flag(
        "neighbours", "Training images a sample.", values.whole(1), default=5, form="NUMBER"
    )
    parser.flag(
        "training_images",
        "How many training images to compare with, evenly spaced; all by default.",
        values.whole(2),
        form="NUMBER",
    )
    flags.add_statistics_dir(parser, "training")


def sample(given: Values) -> int:
    """Samples as the flags say."""
    if given.run_dir and not given.features:
        raise UserError(
            "nearest by what? give --features, for instance classifier:RUN_DIR; "
            "evaluate quality takes the same"
        )
    asked = sampling.Sampling(given)
    import numpy as np

    from robgan_tf.quality.image_features import ReferenceFeatures
    from robgan_tf.reporting import png, to_uint8
    from robgan_tf.sampling.memorising import check_count, compare
    from robgan_tf.stages.features import open_features

    data = asked.run.config.data
    extractor = open_features(given.features, data.resolution, data.channels)
    source = _training_images(asked, given.training_images)
    check_count(source, given.neighbours)
    names = source.class_names if asked.generator.num_classes else ()
    labels = asked.chosen(names, _CLASSES)
    directory = given.statistics_dir or asked.run.beside(given.output_dir) / "reference_features"
    reference = ReferenceFeatures(
        directory, extractor, source, f"{data.file_name}-train", given.batch_size
    )
    print(f"Real       {len(source)} training images: {reference.path}", flush=True)
    features = reference.load().features
    samples = to_uint8(asked.sampler().sheet(labels, given.samples))
    comparison = compare(
        samples.reshape(-1, *samples.shape[2:]),
        np.repeat(labels, given.samples),
        extractor,
        source,
        features,
        given.neighbours,
    )
    kind = f"neighbours_{extractor.name}"
    record = {
        "generator": asked.subject,
        "seed": given.seed,
        "truncation": given.truncation,
        **comparison.record(names),
    }
    asked.write(kind, ".png", png(comparison.picture(names)))
    asked.write(kind, ".json", json.dumps(record, indent=1) + "\n")
    print(comparison.summary())
    return 0


def _training_images(asked: sampling.Sampling, count: int | None) -> "ImageSource":
    """The training images to compare with, all of them if there is no count."""
    source = asked.load_data().train
    return source.evenly_spaced(count or len(source))


COMMAND = Command(
    "sample neighbours",
    "Shows samples beside the nearest training images. It shows whether the generator memorises: "
    "as a PNG, and the distances as JSON. What is there already is never overwritten.",
    "--run_dir=runs/quickstart --features=classifier:runs/quickstart",
    add_flags,
    sample,
    one_process=True,
)
