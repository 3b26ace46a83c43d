"""The parts of a run that can be exported, as they are used: float32, folded, averaged."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.serving.classifier_signatures import (
    classifier_signatures,
    discriminator_signatures,
)
from robgan_tf.serving.generator_signatures import generator_signatures
from robgan_tf.stages.finished import FinishedRun

JOINT_PARTS = ("generator", "classifier", "discriminator")
GENERATOR_PARTS = ("generator",)
CLASSIFIER_PARTS = ("classifier",)


@dataclasses.dataclass(frozen=True)
class ExportedPart:
    """A model and what it answers.

    Attributes:
      model: a built float32 Keras model.
      signatures: dict from name to tf.function; the first is the obvious one.
      description: one line on the model, for its card.
    """

    model: keras.Model
    signatures: dict[str, Any]
    description: str


def parts_of(run: FinishedRun) -> tuple[str, ...]:
    """Names of the parts that a FinishedRun has."""
    if not run.is_joint:
        return CLASSIFIER_PARTS
    # Without a class head D is of no use outside training.
    return JOINT_PARTS if run.config.discriminator.has_class_head else GENERATOR_PARTS


def build_part(run: FinishedRun, name: str, class_names: Sequence[str]) -> ExportedPart:
    """Builds a part of a run.

    Args:
      run: a FinishedRun.
      name: one of `JOINT_PARTS`.
      class_names: of the run's data.

    Raises:
      UserError: if the run does not have it.
    """
    if name not in parts_of(run):
        raise UserError(f"{run.path} has no {name}: it holds {', '.join(parts_of(run))} (--what)")
    if name == "generator":
        model = run.load_generator("float32")
        return ExportedPart(
            model, generator_signatures(model), "Moving average of G, in inference mode."
        )
    model = run.load_classifier("float32").folded()
    if name == "discriminator":
        return ExportedPart(
            model, discriminator_signatures(model), "D: source and class of an image."
        )
    signatures = classifier_signatures(model, class_names, _has_source_head(run))
    return ExportedPart(model, signatures, _classifier_description(run))


def _has_source_head(run: FinishedRun) -> bool:
    """Whether the source head was ever trained."""
    return isinstance(run.config, JointConfig) or run.config.finetune.start == "gan"


def _classifier_description(run: FinishedRun) -> str:
    if run.is_joint:
        return "Class head of D after joint training; realness from its source head."
    if _has_source_head(run):
        return (
            "Class head of a fine-tuned D. Its source head was last trained in joint training, "
            "and the trunk has moved since: take realness with care."
        )
    return "A classifier trained from fresh weights."
