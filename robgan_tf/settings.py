"""The settings of a run, as gin binds them: plain values, checked for type and range.

Each class is one name in a gin file (`train.steps = 1000`). Objects are built from settings by
the commands; nothing below the commands knows gin.
"""

import dataclasses
import types
import typing

import gin

from robgan_tf import choices
from robgan_tf.errors import UserError

REQUIRED = dataclasses.MISSING


def setting(meaning, default=REQUIRED, *, minimum=None, above=None, below=None, choices=None):
    """A field of a settings class: what it means and the range of values it takes."""
    metadata = {
        "meaning": meaning,
        "minimum": minimum,
        "above": above,
        "below": below,
        "choices": choices,
    }
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: checks every field when constructed.

    Raises:
      UserError: if a value is of the wrong type or outside its range.
    """

    gin_name: typing.ClassVar[str]

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            name = f"{self.gin_name}.{field.name}"
            value = _checked_type(name, value, hints[field.name])
            if value is not None:
                _check_range(name, value, field.metadata)
            object.__setattr__(self, field.name, value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """`train`: length, batches and bookkeeping of joint training.

    A step is `discriminator_updates` D updates (times the replays of free adversarial training)
    and one G update.
    """

    gin_name = "train"

    steps: int = setting("the last step; a higher value continues a finished run", minimum=1)
    batch_size: int = setting(
        "images in each D batch and in the G update, over all replicas", 64, minimum=1
    )
    seed: int = setting(
        "of weights, data order, noise, latents and random starts", 0, minimum=0, below=2**32
    )
    discriminator_updates: int = setting(
        "D batches in one step, with one D update each (more in free adversarial training)",
        5,
        minimum=1,
    )
    precision: str = setting(
        "of convolutions and activations in G and D; `bfloat16` pays on machines with instructions "
        "for it; on others it is slow, and equal within bfloat16 rounding",
        "float32",
        choices=choices.PRECISIONS,
    )
    average_decay: float = setting(
        "decay of the moving average of G", 0.999, minimum=0.0, below=1.0
    )
    log_every: int = setting("steps between records", 50, minimum=1)
    sample_every: int = setting("steps between sheets", 1000, minimum=1)
    checkpoint_every: int = setting("steps between checkpoints", 1000, minimum=1)
    keep_checkpoints: int = setting("how many of the newest are kept", 3, minimum=1)
    distribution: str = setting(
        "`MirroredStrategy` or one device", "mirrored", choices=choices.STRATEGIES
    )
    replicas: int | None = setting(
        "None: every GPU, or one CPU; a number of logical CPU devices where there is no GPU",
        None,
        minimum=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings(Settings):
    """`data`: which images, and how they are prepared."""

    gin_name = "data"

    dataset: str = setting(
        "a TensorFlow Datasets name, `image_folder` (folders of class folders below "
        "`--data_dir`) or `digits`"
    )
    resolution: int = setting("side of the images in pixels", minimum=4)
    channels: int = setting("1 or 3", 3, choices=(1, 3))
    num_classes: int = setting("classes the dataset must have", minimum=1)
    augmentation: str = setting(
        "of training images: `pad_crop_flip` pads by 4, `area_crop_flip` cuts a square of 0.8 "
        "to 0.9 of the area",
        "none",
        choices=choices.DATASET_AUGMENTATIONS,
    )
    dequantize: bool = setting("add U(0, 1/128) to training images in [-1, 1]", True)
    train_split: str = setting("name of the split or of its folder", "train")
    test_split: str = setting("name of the split or of its folder", "test")
    validation_examples: int = setting(
        "held out of the training split, class-balanced, kept out of all training", 0, minimum=0
    )
    train_examples: int | None = setting(
        "train on a fixed class-balanced subset; None for all", None, minimum=1
    )
    split_seed: int = setting(
        "with the dataset, fixes the validation slice and the subset; the same in all stages",
        0,
        minimum=0,
    )

    def loading(self, data_dir):
        """The arguments of `data.load_image_data`; `dequantize` is one of `training_batches`."""
        return {name: value for name, value in vars(self).items() if name != "dequantize"} | {
            "data_dir": data_dir
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorSettings(Settings):
    """`ResNetGenerator`: what `models.ResNetGenerator` takes besides the data's shape."""

    gin_name = "ResNetGenerator"

    base_width: int = setting("unit of the widths", 64, minimum=1)
    widths: str = setting(
        "`official`, `sngan`, `official_1000_classes` or a row such as `4; 4, 2, 2` "
        "(first width; one a block, - where the size stays)",
        "official",
    )
    latent_size: int = setting("length of z", 128, minimum=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorSettings(Settings):
    """`ResNetDiscriminator`: what `models.ResNetDiscriminator` takes besides the data's shape."""

    gin_name = "ResNetDiscriminator"

    base_width: int = setting("unit of the widths", 64, minimum=1)
    widths: str = setting("as above, or a row such as `2, 2, 2-, 2-`", "official")
    normalization: str = setting(
        "of every convolution and linear layer (spectral) or before each ReLU (batch)",
        "spectral",
        choices=choices.DISCRIMINATOR_NORMALIZATIONS,
    )
    use_bias: bool = setting("of convolutions", False)
    power_iterations: int = setting("of spectral normalization in each D update", 256, minimum=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossSettings(Settings):
    """`AdversarialLoss`: equation, weights and source term (`losses.AdversarialLoss`)."""

    gin_name = "AdversarialLoss"

    form: str = setting("equation (9) or equation (8)", "split", choices=choices.LOSS_FORMS)
    weights: str = setting(
        "all 1, or those of the official code", "paper", choices=choices.LOSS_WEIGHT_SETS
    )
    source: str = setting("loss of the source head", "bce", choices=choices.SOURCE_LOSSES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackSettings(Settings):
    """`ProjectedGradientDescent`: the attack of training; radius and step size on [-1, 1]."""

    gin_name = "ProjectedGradientDescent"

    epsilon: float = setting("radius, on images in [-1, 1]")
    steps: int = setting("0 for no attack")
    step_size: float = setting("on the same scale")
    norm: str = setting("of the ball", "linf", choices=choices.ATTACK_NORMS)
    random_start: bool = setting("start at a random point of the ball", False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarySettings(Settings):
    """`TrainingAdversary`: what the attack of training maximises, and its warm-up."""

    gin_name = "TrainingAdversary"

    target: str = setting(
        "which terms of D's loss on real images the attack maximises",
        "source_and_class",
        choices=choices.ATTACK_TARGETS,
    )
    warmup_steps: int = setting("steps in which the radius grows from 0", 0, minimum=0)
    free: bool = setting(
        "free adversarial training: each D batch makes `ProjectedGradientDescent.steps` D updates, "
        "each of which moves the images by one step for the next; the first sees where the attack "
        "starts, so make it a random start",
        False,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerSettings(Settings):
    """Adam and its learning rate over steps (`training.learning_rates.StepLearningRate`)."""

    learning_rate: float = setting("at the start", 2e-4, above=0.0)
    beta_1: float = setting("of Adam", 0.0, minimum=0.0, below=1.0)
    beta_2: float = setting("of Adam", 0.9, minimum=0.0, below=1.0)
    schedule: str = setting("over steps", "constant", choices=choices.LEARNING_RATE_SCHEDULES)
    halve_every: int | None = setting("steps; for `halving`", None, minimum=1)
    decay_start: int = setting("step; for `linear`", 0, minimum=0)
    decay_end: int | None = setting("step at which the rate is 0; for `linear`", None, minimum=1)

    def __post_init__(self):
        super().__post_init__()
        if self.schedule == "halving" and self.halve_every is None:
            raise UserError(
                f"{self.gin_name}.schedule = 'halving' needs {self.gin_name}.halve_every"
            )
        if self.schedule == "linear" and (self.decay_end or 0) <= self.decay_start:
            raise UserError(
                f"{self.gin_name}.schedule = 'linear' needs {self.gin_name}.decay_end, a step "
                f"after decay_start ({self.decay_start})"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorOptimizerSettings(OptimizerSettings):
    """`generator_optimizer`."""

    gin_name = "generator_optimizer"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorOptimizerSettings(OptimizerSettings):
    """`discriminator_optimizer`."""

    gin_name = "discriminator_optimizer"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinalEvaluationSettings(Settings):
    """`final_evaluation`: accuracy on test images, clean and under PGD, when training ends.

    The attack takes `attack_steps` steps of a fifth of epsilon with no random start, as the
    paper's evaluation does.
    """

    gin_name = "final_evaluation"

    images: int = setting("test images used; 0 for no evaluation", 1000, minimum=0)
    epsilon: float = setting("radius of PGD, on images in [-1, 1]", 0.04, minimum=0.0)
    attack_steps: int = setting("steps of epsilon / 5", 20, minimum=0)


def _checked_type(name, value, expected):
    """Returns the value, an int made a float where a float is due; otherwise complains."""
    optional = isinstance(expected, types.UnionType)
    if optional:
        if value is None:
            return None
        expected = next(kind for kind in typing.get_args(expected) if kind is not type(None))
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        kinds = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}
        raise UserError(
            f"{name} = {value!r} is a {type(value).__name__}; it takes {kinds[expected]}"
            + (" or None" if optional else "")
        )
    return value


def _check_range(name, value, limits):
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise UserError(f"{name} = {value} is not a finite number")
    if limits["choices"] is not None and value not in limits["choices"]:
        known = ", ".join(repr(choice) for choice in limits["choices"])
        raise UserError(f"{name} = {value!r} does not exist; choose one of {known}")
    if limits["minimum"] is not None and value < limits["minimum"]:
        raise UserError(f"{name} = {value} is too low; it must be at least {limits['minimum']}")
    if limits["above"] is not None and value <= limits["above"]:
        raise UserError(f"{name} = {value} is too low; it must be above {limits['above']}")
    if limits["below"] is not None and value >= limits["below"]:
        raise UserError(f"{name} = {value} is too high; it must be below {limits['below']}")


# What joint training reads, in the order in which it is shown.
TRAINING_SETTINGS = (
    TrainSettings,
    DataSettings,
    GeneratorSettings,
    DiscriminatorSettings,
    LossSettings,
    AttackSettings,
    AdversarySettings,
    GeneratorOptimizerSettings,
    DiscriminatorOptimizerSettings,
    FinalEvaluationSettings,
)
CONFIGURABLES = {
    kind: gin.external_configurable(kind, name=kind.gin_name, module="robgan_tf")
    for kind in TRAINING_SETTINGS
}
