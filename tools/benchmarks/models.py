"""The package's training step and attack as variants to be timed."""

import functools
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import DataSettings
from robgan_tf.config.joint import JointConfig, TrainSettings
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.models.building import build_generator
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import discriminator_classifier
from robgan_tf.stages.build import (
    build_attack,
    build_classifier,
    build_objective,
    build_optimizer,
)
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.stages.generated_stream import stream_of_generator
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.finetune_loss import LOSSES
from robgan_tf.training.finetune_step import (
    FinetunePlayers,
    FinetuneStep,
    trained_variables,
)
from robgan_tf.typing import LabelledImages
from tools.benchmarks.arithmetic import Flops, attack_flops, forward_flops, training_step_flops
from tools.benchmarks.timing import Variant
from tools.plain_form import plain_form


def training_step(
    name: str,
    gin_files: str | Sequence[str],
    bindings: Sequence[str] = (),
    plain: bool = False,
    replicas: int = 1,
) -> Variant:
    """Makes a variant that is one whole training step on images in memory.

    Operations are not counted for free adversarial training.

    Args:
      name: of the variant.
      gin_files: configuration, one file or a list laid over each other.
      bindings: over it.
      plain: the networks in their plain form.
      replicas: logical devices to share the batch out to.
    """
    files = [gin_files] if isinstance(gin_files, str) else gin_files
    config = read_config(JointConfig, files, list(bindings))
    strategy = make_strategy("single_device" if replicas == 1 else "mirrored", replicas)
    adversary = build_adversary(config)
    players = build_players(config, strategy, adversary.replays)
    if plain:
        for model in (players.generator, players.discriminator, players.average_generator):
            plain_form(model)
    step = build_step(config, players, adversary, strategy)
    train = config.train
    images, labels = random_batches(config.data, train)
    number = tf.constant(1, tf.int64)

    def run() -> None:
        values = step(images, labels, number)
        float(values["loss_generator/total"])

    flops = None
    if not config.adversary.free:
        flops = training_step_flops(
            generator_flops(players.generator),
            discriminator_flops(players.discriminator),
            train.discriminator_updates,
            train.batch_size,
            config.attack.steps,
        )
    count = train.discriminator_updates * train.batch_size
    return Variant(name, run, count, flops, train.precision)


def training_step_nodes(gin_files: Sequence[str]) -> int:
    """Nodes in the graph of a training step, those of the functions that it calls included.

    Args:
      gin_files: configuration, laid over each other.
    """
    config = read_config(JointConfig, gin_files, [])
    strategy, adversary = make_strategy("single_device"), build_adversary(config)
    step = build_step(config, build_players(config, strategy), adversary, strategy)
    batch = [step.share_out(values) for values in random_batches(config.data, config.train)]
    traced = step._compiled.get_concrete_function(*batch, tf.constant(1, tf.int64))
    graph = traced.graph.as_graph_def()
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)


def classifier_step(
    name: str,
    gin_files: str | Sequence[str],
    bindings: Sequence[str] = (),
    gan_files: Sequence[str] = (),
) -> Variant:
    """Makes a variant that is one update of the finetune command on images in memory.

    Args:
      name: of the variant.
      gin_files: configuration, laid over each other.
      bindings: over it.
      gan_files: configuration of the joint training whose G makes the generated images, if there
        are any.
    """
    config = read_config(FinetuneConfig, gin_files, list(bindings))
    wanted = config.finetune
    step = build_classifier_step(config)
    real = random_real_batch(config)
    stream = None
    if wanted.generated_share:
        gan = read_config(JointConfig, gan_files, [])
        stream = _generated(gan, wanted.generated_count)
    number = tf.constant(1, tf.int64)

    def run() -> None:
        values = step(real, None if stream is None else next(stream), number)
        float(values[LOSSES[0]])

    return Variant(name, run, len(real[1]), None, wanted.precision)


def build_classifier_step(config: FinetuneConfig) -> FinetuneStep:
    """Builds the classifier, its optimizer and an update, on one device and with seed 0."""
    wanted = config.finetune
    classifier = build_classifier(config)
    optimizer = build_optimizer(config.classifier_optimizer, trained_variables(classifier))
    return FinetuneStep(
        FinetunePlayers(classifier, None, optimizer),
        build_attack(wanted.attack, config.attack),
        build_objective(wanted),
        strategy=make_strategy("single_device"),
        seed=0,
    )


def random_real_batch(config: FinetuneConfig) -> LabelledImages:
    """The real images [N, H, W, C] of a batch, uniform in [-1, 1], and labels."""
    wanted, data = config.finetune, config.data
    count = wanted.batch_size - wanted.generated_count
    shape = [count, data.resolution, data.resolution, data.channels]
    images = tf.random.stateless_uniform(shape, [1, 2], -1.0, 1.0)
    labels = tf.random.stateless_uniform([count], [3, 4], maxval=data.num_classes, dtype=tf.int32)
    return images, labels


def _generated(config: JointConfig, count: int) -> Iterator[LabelledImages]:
    generator = build_generator(config)
    return stream_of_generator(
        lambda latents, labels: generator(latents, labels, training=False),
        generator.latent_size,
        generator.num_classes,
        count=count,
        seed=0,
        start_step=0,
    )


def random_batches(data: DataSettings, train: TrainSettings) -> LabelledImages:
    """Images [n, batch, H, W, C] uniform in [-1, 1], and labels."""
    shape = [train.discriminator_updates, train.batch_size]
    images = tf.random.stateless_uniform(
        [*shape, data.resolution, data.resolution, data.channels], [1, 2], -1.0, 1.0
    )
    labels = tf.random.stateless_uniform(shape, [3, 4], maxval=data.num_classes, dtype=tf.int32)
    return images, labels


def discriminator(
    base_width: int, precision: str = "float32", weights_of: keras.Model | None = None
) -> keras.Model:
    """Builds D at 32 px with 10 classes, with the weights of another one if given."""
    model = ResNetDiscriminator(32, 3, 10, base_width=base_width, precision=precision)
    model.build()
    if weights_of is not None:
        for target, source in zip(model.variables, weights_of.variables, strict=True):
            target.assign(source)
    return model


def attack(
    name: str,
    model: keras.Model,
    images: tf.Tensor,
    labels: tf.Tensor,
    steps: int,
    epsilon: float,
    precision: str = "float32",
) -> Variant:
    """Makes a variant that is one PGD attack on the class head, on a batch in memory."""
    pgd = ProjectedGradientDescent(epsilon, steps, epsilon / 5)

    @tf.function(autograph=False)
    def attacked() -> tf.Tensor:
        with hold_normalized_kernels(model):
            return pgd(lambda x: class_loss(model(x, training=False)[1], labels), images)

    flops = len(labels) * steps * attack_flops(discriminator_flops(model))
    return Variant(name, lambda: _finish(attacked()), len(labels), flops, precision)


def evaluation(name: str, model: keras.Model, count: int, epsilon: float, batch: int) -> Variant:
    """Makes a variant that attacks so many images as `evaluate robustness` does, with PGD-20.

    Args:
      name: of the variant.
      model: the D that is attacked.
      count: how many images.
      epsilon: radius.
      batch: images at a time.
    """
    images = attack_inputs(count)[0].numpy()
    # Only images that are classified correctly are attacked: here all of them.
    labels = np.argmax(model(images, training=False)[1], axis=1)
    classifier = CompiledClassifier(discriminator_classifier(model, "D", ""), images.shape[1:])
    attacks = make_attacks("published", epsilon, "linf", model.num_classes)
    evaluated = RobustnessEvaluation(classifier, attacks, batch)

    def run() -> None:
        evaluated.run(images, labels)

    return Variant(name, run, count)


def forward_and_input_gradient(
    name: str, model: keras.Model, images: tf.Tensor, labels: tf.Tensor
) -> Variant:
    """Makes a variant that is one forward pass and one gradient with respect to the images."""

    @tf.function(autograph=False)
    def gradient() -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            losses = class_loss(model(images, training=False)[1], labels)
        return tape.gradient(losses, images)

    flops = len(labels) * attack_flops(discriminator_flops(model))
    # Kernels are normalized while tracing, once, as an attack does before its steps.
    with hold_normalized_kernels(model):
        traced = gradient.get_concrete_function()
    return Variant(name, lambda: _finish(traced()), len(labels), flops)


def attack_inputs(count: int) -> LabelledImages:
    """A batch of random images and labels for attacks."""
    images = tf.random.stateless_uniform([count, 32, 32, 3], [5, 6], -1.0, 1.0)
    return images, tf.random.stateless_uniform([count], [7, 8], maxval=10, dtype=tf.int32)


def generator_flops(model: keras.Model) -> Flops:
    """`Flops` of one image by G."""
    latents = tf.zeros([1, model.latent_size])
    labels = tf.zeros([1], tf.int32)
    return forward_flops(lambda latents: model(latents, labels, training=False), latents)


def discriminator_flops(model: keras.Model) -> Flops:
    """`Flops` of one image through D."""
    shape = [1, model.resolution, model.resolution, model.channels]
    # Only a projection head looks at them.
    labels = tf.zeros([1], tf.int32)
    return forward_flops(functools.partial(model, labels=labels, training=False), tf.zeros(shape))


def _finish(tensor: tf.Tensor) -> None:
    np.asarray(tensor)
