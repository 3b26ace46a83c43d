"""prepare folder: images of a user's own in class folders, at the size that training needs."""

import pathlib
import re
import time

from robgan_tf.cli import values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.preparation import KEPT, add_encoding, add_places, say_plan, say_prepared
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    parser.group("What to prepare, and where to")
    add_places(
        parser,
        "A folder of folders of class folders: PATH/train/<class>/<images>, and other splits "
        "beside train.",
    )
    parser.flag("name", "What data.dataset calls it, such as my_pets.", form="NAME")
    parser.flag("resolution", "Of training.", values.whole(4, 4096), default=64, form="PIXELS")
    parser.flag(
        "channels", "3, RGB, or 1, grayscale.", values.one_of("1", "3"), default="3", form="NUMBER"
    )
    add_encoding(parser)


def prepare(given: Values) -> int:
    """Prepares as the flags say."""
    if not given.source or not given.data_dir or not given.name:
        raise UserError("what to prepare, and where to? give --source, --data_dir and --name")
    if not _NAME.fullmatch(given.name):
        raise UserError(
            f"--name={given.name}: a data set is called by small letters, digits and single _, "
            "such as my_pets"
        )
    _check_apart(given.source, given.data_dir)
    with tensorflow_loading():
        from robgan_tf.data.preparation.class_folders import plan_of_folders
        from robgan_tf.data.preparation.metadata import Identity
        from robgan_tf.data.preparation.picture import StoredForm, stored_side
        from robgan_tf.data.preparation.prepare import prepare as prepare_plan

    began = time.monotonic()
    plan = plan_of_folders(given.source)
    form = StoredForm(stored_side(given.resolution), int(given.channels), given.encoding)
    say_plan(plan, form)
    description = f"Images of {len(plan.class_names)} classes, prepared by robgan-tf of folders."
    identity = Identity(given.name, str(given.resolution), description)
    prepared = prepare_plan(plan, identity, form, given.data_dir)
    name = f"{identity.name}/{identity.config}"
    say_prepared(prepared, name, began)
    print(
        f"  train      data.dataset = '{name}', data.num_classes = {len(plan.class_names)}, "
        f"--data_dir={given.data_dir}"
    )
    return 0


def _check_apart(source: str, data_dir: str) -> None:
    """Refuses to write where the same command would look for splits and classes."""
    if pathlib.Path(data_dir).resolve().is_relative_to(pathlib.Path(source).resolve()):
        raise UserError(
            f"--data_dir={data_dir} is within --source={source}: what is prepared would be taken "
            "for images of it; give a folder beside it"
        )


COMMAND = Command(
    "prepare folder",
    "Prepares images in class folders. They are stored once, upright, with a shorter side of 1.15 "
    "times the resolution, as a data set of TensorFlow Datasets; labels are the places of the "
    "sorted names of the class folders. The same command goes on where it was stopped.",
    "--source=my_images --data_dir=data --name=my_pets --resolution=64",
    add_flags,
    prepare,
    kept=KEPT,
    one_process=True,
)
