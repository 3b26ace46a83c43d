"""What the two stages must agree on before the second one starts."""

import dataclasses

from robgan_tf.choices import NETWORKS
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import DataSettings
from robgan_tf.errors import UserError
from robgan_tf.stages.finished import FinishedRun

# What says which images there are and which of them are held out.
SAME_DATA = (
    "dataset",
    "resolution",
    "channels",
    "num_classes",
    "train_split",
    "validation_examples",
    "split_seed",
)


def check_sources(config: FinetuneConfig, gan: FinishedRun | None, generated: str | None) -> None:
    """Raises UserError unless there is what the settings of `finetune` ask for.

    Args:
      config: of the run.
      gan: the FinishedRun of joint training, or None.
      generated: path of other generated images, or None.
    """
    wanted = config.finetune
    if wanted.start == "gan" and gan is None:
        raise UserError(
            "finetune.start = 'gan' needs the run of joint training: give --gan_run_dir, or bind "
            "finetune.start = 'scratch'"
        )
    if wanted.generated_share and gan is None and generated is None:
        raise UserError(
            f"finetune.generated_share = {wanted.generated_share:g} needs generated images: give "
            "--gan_run_dir or --generated, or bind finetune.generated_share = 0.0"
        )
    if generated is not None and not wanted.generated_share:
        raise UserError("--generated is of no use with finetune.generated_share = 0.0")
    if gan is not None:
        _check_same_data(config.data, gan)
        if wanted.generated_share and generated is None:
            _check_classes(gan)
        if wanted.start == "gan":
            _check_same_network(config, gan)


def _check_same_data(ours: DataSettings, gan: FinishedRun) -> None:
    theirs = gan.config.data
    for name in SAME_DATA:
        if getattr(ours, name) != getattr(theirs, name):
            raise UserError(
                f"data.{name} is {getattr(theirs, name)!r} in {gan.path} and "
                f"{getattr(ours, name)!r} here: both stages need the same data and the same "
                "held-out images"
            )


def _check_classes(gan: FinishedRun) -> None:
    if gan.config.discriminator.head == "none":
        raise UserError(
            f"the generator of {gan.path} knows no classes (ResNetDiscriminator.head = 'none'), "
            "and a classifier learns from images of given classes"
        )


def _check_same_network(config: FinetuneConfig, gan: FinishedRun) -> None:
    network = config.finetune.network
    if not NETWORKS.get(network).is_discriminator:
        raise UserError(
            f"finetune.network = {network!r} cannot start from the D of a run: bind "
            "finetune.start = 'scratch', or finetune.network = 'discriminator'"
        )
    mine, its = config.finetune.discriminator, gan.config.stage.discriminator
    if mine != its:
        raise UserError(
            f"the discriminator of {gan.path} is {its!r} and finetune.discriminator is {mine!r} "
            "here: fine-tuning starts from that D"
        )
    theirs = dataclasses.asdict(gan.config.discriminator)
    for name, value in dataclasses.asdict(config.discriminator).items():
        if value != theirs[name]:
            raise UserError(
                f"ResNetDiscriminator.{name} is {theirs[name]!r} in {gan.path} and {value!r} "
                "here: fine-tuning starts from that D"
            )
