"""prepare imagenet143: the 143 classes of ILSVRC2012, at the size that training needs."""

import time

from robgan_tf.cli import values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.preparation import KEPT, add_encoding, add_places, say_plan, say_prepared
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to prepare, and where to")
    add_places(
        parser,
        "What there is of ILSVRC2012: a folder with ILSVRC2012_img_train.tar and "
        "ILSVRC2012_img_val.tar, with train/ and val/ of synset folders, or of TensorFlow Datasets "
        "with imagenet2012 or imagenet_resized/64x64.",
    )
    parser.flag(
        "resolution",
        "Of training: 64 or 128.",
        values.one_of("64", "128"),
        default="64",
        form="PIXELS",
    )
    add_encoding(parser)
    parser.switch("partial", "Prepare what there is, if classes or images are missing.")


def prepare(given: Values) -> int:
    """Prepares as the flags say."""
    if not given.source or not given.data_dir:
        raise UserError("what to prepare, and where to? give --source and --data_dir")
    with tensorflow_loading():
        from robgan_tf.data.preparation import builder, imagenet143
        from robgan_tf.data.preparation.imagenet_sources import plan_of_imagenet
        from robgan_tf.data.preparation.picture import StoredForm, stored_side
        from robgan_tf.data.preparation.prepare import prepare as prepare_plan

    began, resolution = time.monotonic(), int(given.resolution)
    plan = plan_of_imagenet(given.source)
    form = StoredForm(stored_side(resolution), 3, given.encoding)
    say_plan(plan, form)
    identity = builder.identity(resolution)
    prepared = prepare_plan(
        plan, identity, form, given.data_dir, imagenet143.COMPLETE, given.partial
    )
    say_prepared(prepared, f"{identity.name}/{identity.config}", began)
    print(f"  train      --gin_file=gin/imagenet143_{resolution}.gin --data_dir={given.data_dir}")
    return 0


COMMAND = Command(
    "prepare imagenet143",
    "Prepares the 143 classes of ILSVRC2012 that the paper trains on. Their images are stored "
    "once, upright, with a shorter side of 1.15 times the resolution, as a data set of TensorFlow "
    "Datasets. The same command goes on where it was stopped.",
    "--source=ILSVRC2012 --data_dir=data --resolution=64",
    add_flags,
    prepare,
    kept=KEPT,
    one_process=True,
)
