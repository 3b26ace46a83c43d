"""Builds from settings what every kind of training needs: classifier, attack, optimizers."""

from collections.abc import Sequence

import keras

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.choices import NETWORKS, OBJECTIVES, TRAINING_ATTACKS
from robgan_tf.config.finetune import FinetuneConfig, FinetuneSettings
from robgan_tf.config.groups import AttackSettings, OptimizerSettings
from robgan_tf.errors import UserError
from robgan_tf.keras_versions import Variable
from robgan_tf.models.network import Network
from robgan_tf.training.adam import Adam, CorrectedAdam
from robgan_tf.training.finetune_objective import FinetuneObjective
from robgan_tf.training.learning_rates import StepLearningRate


def build_classifier(
    config: FinetuneConfig, name: str = "classifier", precision: str | None = None
) -> Network:
    """Builds the network that `finetune.network` names, in the run's precision or another.

    Args:
      config: of the run.
      name: of the model.
      precision: "float32" or "bfloat16"; that of the run if None.

    Raises:
      UserError: if it cannot be built so, or would have no class head.
    """
    wanted = config.finetune
    return NETWORKS.get(wanted.network).build(config, precision or wanted.precision, name)


def build_attack(name: str, settings: AttackSettings) -> TrainingAttack:
    """Builds the attack of training.

    Args:
      name: of the attack.
      settings: AttackSettings.

    Raises:
      UserError: if its numbers make no sense, such as a negative radius.
    """
    try:
        return TRAINING_ATTACKS.get(name)(**vars(settings))
    except ValueError as error:
        raise UserError(str(error)) from error


def build_objective(wanted: FinetuneSettings) -> FinetuneObjective:
    """Builds what stage 2 minimises.

    Args:
      wanted: settings of the stage.
    """
    return FinetuneObjective(
        generated_weight=wanted.generated_weight,
        generated_label_smoothing=wanted.generated_label_smoothing,
        lipschitz_weight=wanted.lipschitz_weight,
        warmup_steps=wanted.warmup_steps,
        free=wanted.free,
        label_smoothing=wanted.label_smoothing,
        loss=OBJECTIVES.get(wanted.objective)(wanted.divergence_weight),
        weight_perturbation=wanted.weight_perturbation,
        weight_perturbation_warmup_steps=wanted.weight_perturbation_warmup_steps,
    )


def build_optimizer(
    settings: OptimizerSettings, variables: Sequence[Variable], updates_per_step: int = 1
) -> keras.optimizers.Optimizer:
    """Builds Adam with all its variables.

    Args:
      settings: OptimizerSettings.
      variables: what it will change.
      updates_per_step: updates it makes in one training step.
    """
    rate = StepLearningRate(
        settings.learning_rate,
        settings.schedule,
        halve_every=settings.halve_every,
        decay_start=settings.decay_start,
        decay_end=settings.decay_end,
        drop_at=settings.drop_at,
        updates_per_step=updates_per_step,
    )
    adam = CorrectedAdam if settings.epsilon_place == "corrected" else Adam
    optimizer = adam(rate, settings.beta_1, settings.beta_2, settings.epsilon)
    # Its variables must exist before the first tf.function is traced.
    optimizer.build(variables)
    return optimizer
