"""ImageNet-143 as a builder of TensorFlow Datasets: for `tfds build`, and `tfds.load` by its name.

`robgan-tf prepare imagenet143` makes the same, in parallel, and goes on where it was stopped.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from robgan_tf.data.preparation.imagenet143 import COMPLETE, RESOLUTIONS, class_names
from robgan_tf.data.preparation.imagenet_sources import LAYOUTS, plan_of_imagenet
from robgan_tf.data.preparation.metadata import VERSION, Identity, features_of
from robgan_tf.data.preparation.picture import StoredForm, stored_picture, stored_side
from robgan_tf.data.preparation.plan import Item, Plan
from robgan_tf.data.preparation.shards import example_of

DESCRIPTION = (
    "The 143 classes of ILSVRC2012 with the indices 151 to 293 (dogs, wolves, foxes and cats), as "
    "Rob-GAN (Liu and Hsieh, 2019) and SN-GAN use them. Images are stored once, upright, with a "
    f"shorter side of 1.15 times the resolution of training; complete are {COMPLETE['train']} "
    f"training and {COMPLETE['val']} validation images."
)
HOMEPAGE = "https://image-net.org/"


def identity(resolution: int) -> Identity:
    """What the data set of a resolution is called."""
    return Identity("imagenet143", str(resolution), DESCRIPTION, HOMEPAGE)


class Imagenet143(tfds.core.GeneratorBasedBuilder):
    """The 143 classes at the size of one of the published resolutions."""

    VERSION = tfds.core.Version(VERSION)
    BUILDER_CONFIGS = [  # noqa: RUF012  as TensorFlow Datasets has it
        tfds.core.BuilderConfig(name=str(x), description=f"For {x}x{x} pixels.")
        for x in RESOLUTIONS
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"The folder must hold {LAYOUTS}."

    @property
    def made_by(self) -> str:
        """The command that makes it, for whoever asks for it before it is there."""
        return (
            "robgan-tf prepare imagenet143 --source=PATH --data_dir=DIR "
            f"--resolution={self.builder_config.name} makes it of what there is of ILSVRC2012"
        )

    @property
    def _form(self) -> StoredForm:
        return StoredForm(stored_side(int(self.builder_config.name)), 3, "jpeg")

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(
            builder=self,
            description=DESCRIPTION,
            features=features_of(class_names(), self._form),
            supervised_keys=("image", "label"),
            homepage=HOMEPAGE,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        plan = plan_of_imagenet(pathlib.Path(dl_manager.manual_dir))
        return {split: self._generate_examples(plan, items) for split, items in plan.splits.items()}

    def _generate_examples(
        self, plan: Plan, items: list[Item]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for item in items:
            stored = stored_picture(plan.content(item.read()), self._form)
            if stored.encoded is None:
                raise ValueError(f"{item.location} cannot be read: {stored.reason}")
            yield item.key, example_of(item, stored.encoded)
