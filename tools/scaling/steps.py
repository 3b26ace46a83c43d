"""The training steps of gin files, traced and counted."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.layers import BatchNormalization, ClassConditionalBatchNormalization
from robgan_tf.models.building import build_generator
from robgan_tf.stages.build import build_attack, build_classifier, build_objective, build_optimizer
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.finetune_step import FinetunePlayers, FinetuneStep, trained_variables
from robgan_tf.typing import JsonObject
from tools.benchmarks.models import random_batches
from tools.scaling.graph_costs import Costs, graph_costs

# Two batch sizes tell what a step costs for an image, and what it costs for itself.
SIZES = (2, 4)


@dataclasses.dataclass(frozen=True)
class StepCosts:
    """What a step asks, by its own networks and settings.

    Attributes:
      name: of it.
      steps: how many a run makes.
      batch_size: real and generated images of an update together.
      real_images: real images that a step reads.
      of_image: costs of one image of the batch, all updates of a step together.
      of_step: costs that do not grow with the batch.
      synchronized_bytes: gradients and batch statistics that replicas exchange in a step.
      exchanges: how often they do.
    """

    name: str
    steps: int
    batch_size: int
    real_images: int
    of_image: Costs
    of_step: Costs
    synchronized_bytes: float
    exchanges: int

    def at(self, images: float) -> Costs:
        """The costs of a step with so many images in a batch."""
        return self.of_step + self.of_image.times(images)

    def as_json(self) -> JsonObject:
        """As a JSON-able dict."""
        return dataclasses.asdict(self)


def joint(name: str, gin_files: Sequence[str], bindings: Sequence[str] = ()) -> StepCosts:
    """Counts the step of joint training of gin files.

    Args:
      name: of it.
      gin_files: configuration, laid over each other.
      bindings: over it.
    """
    config = read_config(JointConfig, gin_files, list(bindings))
    strategy, adversary = make_strategy("single_device"), build_adversary(config)
    players = build_players(config, strategy, adversary.replays)

    def traced(size: int) -> tf.Graph:
        train = dataclasses.replace(config.train, batch_size=size, generator_batch_size=size)
        sized = dataclasses.replace(config, train=train)
        step = build_step(sized, players, adversary, strategy)
        batch = random_batches(config.data, train)
        return step._compiled.get_concrete_function(*batch, tf.constant(1, tf.int64)).graph

    train = config.train
    updates = train.discriminator_updates * adversary.replays
    generator, discriminator = players.generator, players.discriminator
    return _counted(
        name,
        traced,
        steps=train.steps,
        batch_size=train.batch_size,
        real_images=train.discriminator_updates * train.batch_size,
        # G makes fakes for each D update, and once with gradients of its own, which go through
        # its statistics: a mean and a spread a layer, each of them exchanged.
        synchronized_bytes=updates * _bytes(discriminator)
        + _bytes(generator)
        + (updates + 2) * _statistics(generator),
        exchanges=updates + 1 + (updates + 2) * 2 * len(_normalizations(generator)),
    )


def finetune(
    name: str,
    gin_files: Sequence[str],
    gan_files: Sequence[str],
    bindings: Sequence[str] = (),
) -> StepCosts:
    """Counts an update of stage 2, with the generated images that G makes for it.

    Args:
      name: of it.
      gin_files: configuration, laid over each other; networks and data are those of `gan_files`.
      gan_files: configuration of the joint training before it.
      bindings: over both.
    """
    config = read_config(FinetuneConfig, [*gan_files, *gin_files], list(bindings))
    wanted, data = config.finetune, config.data
    classifier = build_classifier(config)
    step = FinetuneStep(
        FinetunePlayers(
            classifier,
            None,
            build_optimizer(config.classifier_optimizer, trained_variables(classifier)),
        ),
        build_attack(wanted.attack, config.attack),
        build_objective(wanted),
        strategy=make_strategy("single_device"),
        seed=0,
    )
    share = wanted.generated_count / wanted.batch_size
    shape = (data.resolution, data.resolution, data.channels)

    def traced(size: int) -> tf.Graph:
        generated = round(size * share)
        counts = (size - generated, generated) if generated else (size,)
        parts = [(tf.zeros([count, *shape]), tf.zeros([count], tf.int32)) for count in counts]
        return step._compiled.get_concrete_function(
            parts, counts, False, tf.constant(1, tf.int64)
        ).graph

    counted = _counted(
        name,
        traced,
        steps=wanted.steps,
        batch_size=wanted.batch_size,
        real_images=wanted.batch_size - wanted.generated_count,
        synchronized_bytes=4.0 * sum(v.shape.num_elements() for v in step._variables),
        exchanges=1,
    )
    if not share:
        return counted
    generator = build_generator(read_config(JointConfig, gan_files, list(bindings)))
    of_generated = graph_costs(_generating(generator, 2)) + graph_costs(
        _generating(generator, 1)
    ).times(-1.0)
    return dataclasses.replace(counted, of_image=counted.of_image + of_generated.times(share))


def _generating(generator: keras.Model, count: int) -> tf.Graph:
    labels = tf.zeros([count], tf.int32)
    generate = tf.function(lambda latents: generator(latents, labels, training=False))
    return generate.get_concrete_function(tf.zeros([count, generator.latent_size])).graph


def _counted(
    name: str, traced: Callable[[int], tf.Graph], *, batch_size: int, **others: Any
) -> StepCosts:
    few, many = (graph_costs(traced(size)) for size in SIZES)
    of_image = (many + few.times(-1.0)).times(1 / (SIZES[1] - SIZES[0]))
    of_step = few + of_image.times(-SIZES[0])
    return StepCosts(name, batch_size=batch_size, of_image=of_image, of_step=of_step, **others)


def _bytes(model: keras.Model) -> float:
    """Bytes of a model's gradients, which are float32."""
    return 4.0 * sum(variable.shape.num_elements() for variable in model.trainable_variables)


def _normalizations(model: keras.Model) -> list[keras.layers.Layer]:
    kinds = (BatchNormalization, ClassConditionalBatchNormalization)
    return [layer for layer in model._flatten_layers() if isinstance(layer, kinds)]


def _statistics(model: keras.Model) -> float:
    """Bytes of the batch statistics of one forward pass: a mean and a spread a channel."""
    return sum(8.0 * layer.moving_mean.shape.num_elements() for layer in _normalizations(model))
