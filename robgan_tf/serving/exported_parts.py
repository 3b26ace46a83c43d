"""The parts of a run that can be exported, as they are used: float32, folded, averaged."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.choices import SOURCE_LOSSES
from robgan_tf.config.joint import JointConfig
from robgan_tf.errors import UserError
from robgan_tf.serving.classifier_signatures import (
    Realness,
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
      realness: the function from its source logits to how certain they are of "real", if known.
    """

    model: keras.Model
    signatures: dict[str, Any]
    description: str
    realness: Realness | None = None


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
    realness = _realness(run)
    if name == "discriminator":
        signatures = discriminator_signatures(model, realness)
        return ExportedPart(model, signatures, "D: source and class of an image.", realness)
    turns_images = run.config.data.reading == "served"
    signatures = classifier_signatures(model, class_names, realness, turns_images)
    return ExportedPart(model, signatures, _classifier_description(run), realness)


def _realness(run: FinishedRun) -> Realness | None:
    """What the run's source loss makes of a logit; None where nothing is known of it."""
    if not _has_source_head(run):
        return None
    if not isinstance(run.config, JointConfig):
        # The head of another run, of whose loss this one says nothing: taken for the paper's.
        return tf.sigmoid
    # An extension's loss may be elsewhere by now; the models are exported all the same.
    source = run.config.loss.source
    return SOURCE_LOSSES.get(source).realness if source in SOURCE_LOSSES else None


def _has_source_head(run: FinishedRun) -> bool:
    """Whether the source head was ever trained."""
    return isinstance(run.config, JointConfig) or run.config.finetune.start == "gan"


def _classifier_description(run: FinishedRun) -> str:
    if run.is_joint:
        return "Class head of D after joint training; realness, if any, from its source head."
    if _has_source_head(run):
        return (
            "Class head of a fine-tuned D. Its source head was last trained in joint training, "
            "and the trunk has moved since: take realness with care."
        )
    return "A classifier trained from fresh weights."
