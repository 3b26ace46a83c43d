"""The images that a run will be measured on, looked at before its first step."""

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.joint import JointConfig
from robgan_tf.data.load import ImageData

_WITHOUT_CLASSES = ", or train a GAN without classes (gin/baselines/without_classes.gin)"


def check_images(config: JointConfig | FinetuneConfig, data: ImageData) -> None:
    """Refuses images that would end the run at a later step.

    Args:
      config: of the run.
      data: its ImageData.

    Raises:
      UserError: if images have no label that need one, or a class of the images that accuracy will
        be measured on has none that can be read.
    """
    is_joint = isinstance(config, JointConfig)
    if is_joint and config.discriminator.head == "none":
        return
    more = _WITHOUT_CLASSES if is_joint else ""
    for source in (data.train, data.validation):
        if len(source):
            source.check_labelled(f"training needs: choose another data.train_split{more}")
    for name, setting in _measured(config):
        source = getattr(data, name)
        if not len(source):
            continue
        source.check_every_class_is_readable()
        source.check_labelled(
            f"{setting} needs of the {name} images: choose another data.test_split, or bind "
            f"{setting} = 0"
        )


def measured_splits(config: JointConfig | FinetuneConfig) -> list[str]:
    """Names of the splits besides the training images that the run measures anything on."""
    return sorted({name for name, _ in _measured(config)} - {"train"})


def _measured(config: JointConfig | FinetuneConfig) -> list[tuple[str, str]]:
    """(split, the setting that asks for it) of all accuracies."""
    if isinstance(config, JointConfig) and not config.discriminator.has_class_head:
        return []
    found = []
    if 0 < config.gap.every <= config.stage.steps:
        found += [(name, "gap.every") for name in ("train", "validation", "test")]
    if config.final_evaluation.images:
        found.append(("test", "final_evaluation.images"))
    return found
