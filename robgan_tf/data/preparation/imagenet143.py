"""The classes of ImageNet-143: those of ILSVRC2012 with the indices 151 to 293, dogs to cats."""

import functools
import importlib.resources
from typing import NamedTuple

NAME = "imagenet143"
RESOLUTIONS = (64, 128)
TRAIN, VAL = "train", "val"
# Images of all classes in ILSVRC2012.
COMPLETE = {TRAIN: 180_373, VAL: 7_150}


class ImageNetClass(NamedTuple):
    """A class.

    Attributes:
      label: from 0 to 142.
      number: from 151 to 293, its place among the 1,000 synsets in their order.
      synset: such as "n02085620".
      name: such as "Chihuahua".
    """

    label: int
    number: int
    synset: str
    name: str


@functools.cache
def classes() -> tuple[ImageNetClass, ...]:
    """All 143 in the order of their labels."""
    listed = importlib.resources.files(__package__).joinpath("imagenet143_classes.txt")
    rows = (line.split("\t") for line in listed.read_text(encoding="utf-8").splitlines())
    return tuple(ImageNetClass(int(label), int(number), *names) for label, number, *names in rows)


def class_names() -> tuple[str, ...]:
    """Their names, as people read them."""
    return tuple(each.name.replace("_", " ") for each in classes())


@functools.cache
def label_of() -> dict[str, int]:
    """The label by synset, and by name in lower case with underscores."""
    found = {each.synset: each.label for each in classes()}
    return found | {each.name.lower(): each.label for each in classes()}
