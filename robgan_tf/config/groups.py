"""Groups of settings that both stages, or their players, have; each is one name in a gin file."""

import dataclasses
from typing import Any

from robgan_tf.choices import NORMS, SCHEDULES, SOURCE_LOSSES, TRAINING_ATTACKS
from robgan_tf.config.best_measure import BEST_MEASURES
from robgan_tf.config.fields import Settings, setting
from robgan_tf.errors import UserError

READINGS = ("served", "pillow")
# Of runs that were made before they named one.
FIRST_READING = "pillow"
READING = "data.reading"
# Where the images of a data set of TensorFlow Datasets are while a run goes on.
KEPT_IN = ("auto", "memory", "files")
PRECISIONS = ("float32", "bfloat16")
STRATEGIES = ("mirrored", "single_device")
# How an operation and the cores go together.
TENSORFLOW_THREADS, ONE_PER_OPERATION, AUTO_THREADS = "tensorflow", "one_per_operation", "auto"
THREADS = (TENSORFLOW_THREADS, ONE_PER_OPERATION, AUTO_THREADS)
DATASET_AUGMENTATIONS = ("none", "flip", "pad_crop_flip", "area_crop_flip")
# The first is this package's; the others are other packages' wrappers.
SPECTRAL_NORMALIZATIONS = ("spectral", "keras_spectral", "tfa_spectral")
DISCRIMINATOR_NORMALIZATIONS = (*SPECTRAL_NORMALIZATIONS, "batch", "none")
DISCRIMINATOR_HEADS = ("class", "projection", "none")
PREACT_NORMALIZATIONS = ("none", "batch")
NETWORK_FORM_NAMES = ("own", "official_code", "sngan")
PREACT_FORM_NAMES = ("own", "official_code")
EPSILON_PLACES = ("uncorrected", "corrected")
LOSS_FORMS = ("split", "ac_gan")
LOSS_WEIGHT_SETS = ("paper", "official_code")
ATTACK_TARGETS = ("source_and_class", "class", "source")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSettings(Settings):
    """`data`: which images, and how they are prepared."""

    gin_name = "data"

    dataset: str = setting(
        "a TensorFlow Datasets name, or a kind of its own: `image_folder` (folders of class "
        "folders below `--data_dir`), `digits`, or what an extension adds"
    )
    resolution: int = setting("side of the images in pixels", minimum=4)
    channels: int = setting("1 or 3", 3, choices=(1, 3))
    num_classes: int = setting("classes the dataset must have", minimum=1)
    augmentation: str = setting(
        "of training images: `pad_crop_flip` pads by 4, `area_crop_flip` cuts a square of 0.8 "
        "to 0.9 of the area",
        "none",
        choices=DATASET_AUGMENTATIONS,
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
    reading: str = setting(
        "how stored images become pixels: `served`, to the pixels that exported models decode, or "
        "`pillow`, as version 0.2.0 did: any format of Pillow, EXIF orientation left aside, sizes "
        "of TensorFlow Datasets brought to the resolution in floating point. A run that was begun "
        "before there was this setting keeps `pillow`",
        "served",
        choices=READINGS,
    )
    kept_in: str = setting(
        "of a data set of TensorFlow Datasets: decoded once into `memory`, or read from its record "
        "`files` when they are needed; `auto` reads from files what would take more than 4 GiB",
        "auto",
        choices=KEPT_IN,
    )
    split_seed: int = setting(
        "with the dataset, fixes the validation slice and the subset; the same in all stages",
        0,
        minimum=0,
    )

    @property
    def file_name(self) -> str:
        """The data set's name, fit to be part of a file's."""
        return self.dataset.replace("/", "_").replace(":", "_")

    def loading(self, data_dir: str | None) -> dict[str, Any]:
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
    form: str = setting(
        "this package's, or that of published code (the authors', SN-GAN's): gain of the last "
        "convolution, moving averages, last epsilon; see [As published](published.md)",
        "own",
        choices=NETWORK_FORM_NAMES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorSettings(Settings):
    """`ResNetDiscriminator`: what `models.ResNetDiscriminator` takes besides the data's shape."""

    gin_name = "ResNetDiscriminator"

    base_width: int = setting("unit of the widths", 64, minimum=1)
    widths: str = setting("as above, or a row such as `2, 2, 2-, 2-`", "official")
    normalization: str = setting(
        "of every convolution and linear layer (spectral; keras_spectral and tfa_spectral by the "
        "wrappers of Keras and TensorFlow Addons, see [Two stacks](stacks.md)), or before each "
        "ReLU (batch; after each convolution where the form is `official_code`)",
        "spectral",
        choices=DISCRIMINATOR_NORMALIZATIONS,
    )
    head: str = setting(
        "how D judges classes: by a class head (the paper's), by projection on a class embedding "
        "(SN-GAN's, which leaves no classifier), or not at all, which makes G one without classes",
        "class",
        choices=DISCRIMINATOR_HEADS,
    )
    use_bias: bool = setting("of convolutions", False)
    power_iterations: int = setting("of spectral normalization in each D update", 256, minimum=1)
    form: str = setting(
        "this package's, or that of published code: place of batch normalization, biases of the "
        "heads; see [As published](published.md)",
        "own",
        choices=NETWORK_FORM_NAMES,
    )

    @property
    def has_class_head(self) -> bool:
        """Whether D is a classifier too."""
        return self.head == "class"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreActResNet18Settings(Settings):
    """`PreActResNet18`: what `models.PreActResNet18` takes besides the data's shape."""

    gin_name = "PreActResNet18"

    base_width: int = setting("channels of the first stage", 64, minimum=1)
    normalization: str = setting(
        "before each activation; the official code has none",
        "none",
        choices=PREACT_NORMALIZATIONS,
    )
    form: str = setting(
        "this package's, or that of the authors' code: padding of strided convolutions, the last "
        "activation, initializers; see [As published](published.md)",
        "own",
        choices=PREACT_FORM_NAMES,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossSettings(Settings):
    """`AdversarialLoss`: equation, weights and source term (`losses.AdversarialLoss`)."""

    gin_name = "AdversarialLoss"

    form: str = setting("equation (9) or equation (8)", "split", choices=LOSS_FORMS)
    weights: str = setting(
        "all 1, or those of the official code", "paper", choices=LOSS_WEIGHT_SETS
    )
    source: str = setting("loss of the source head", "bce", choices=SOURCE_LOSSES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackSettings(Settings):
    """`ProjectedGradientDescent`: the attack of training; radius and step size on [-1, 1]."""

    gin_name = "ProjectedGradientDescent"

    epsilon: float = setting(
        "radius, on images in [-1, 1]; or as `'8/255'` of the [0, 1] scale", radius=True
    )
    steps: int = setting("0 for no attack")
    step_size: float = setting("in the same units, or see `relative_step`", radius=True)
    norm: str = setting("of the ball", "linf", choices=NORMS)
    random_start: bool = setting("start at a random point of the ball", False)
    relative_step: bool = setting("`step_size` is a share of the radius instead", False)

    def __post_init__(self) -> None:
        if self.relative_step and isinstance(self.step_size, str):
            raise UserError(
                f"{self.gin_name}.step_size = {self.step_size!r} is no share of the radius, which "
                "relative_step = True wants: give a number such as 0.25"
            )
        super().__post_init__()


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarySettings(Settings):
    """`TrainingAdversary`: which attack, what it maximises, and its warm-up."""

    gin_name = "TrainingAdversary"

    attack: str = setting(
        "what attacks, with the settings of `ProjectedGradientDescent`",
        "pgd",
        choices=TRAINING_ATTACKS,
    )

    target: str = setting(
        "which terms of D's loss on real images the attack maximises",
        "source_and_class",
        choices=ATTACK_TARGETS,
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
    epsilon: float = setting("of Adam", 1e-7, above=0.0)
    epsilon_place: str = setting(
        "beside the root of the second moment as it is (`uncorrected`: Keras's and Chainer's Adam) "
        "or once its bias is corrected (`corrected`: Algorithm 1 of Kingma and Ba, PyTorch's)",
        "uncorrected",
        choices=EPSILON_PLACES,
    )
    schedule: str = setting("over steps", "constant", choices=SCHEDULES)
    halve_every: int | None = setting("steps; for `halving`", None, minimum=1)
    decay_start: int = setting("step; for `linear` and `cosine`", 0, minimum=0)
    decay_end: int | None = setting(
        "step at which the rate is 0; for `linear` and `cosine`", None, minimum=1
    )
    drop_at: tuple = setting("ascending steps after which the rate is a tenth; for `drops`", ())

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = all(type(step) is int and step > 0 for step in self.drop_at)
        if not steps or list(self.drop_at) != sorted(set(self.drop_at)):
            raise UserError(
                f"{self.gin_name}.drop_at = {self.drop_at!r}: give ascending steps, such as "
                "(20000, 40000, 50000)"
            )

    def check_choices(self) -> None:
        """As that of all settings; the schedule also has to find the numbers it goes by."""
        super().check_choices()
        needed = SCHEDULES.get(self.schedule).needs(self)
        if needed is not None:
            raise UserError(
                f"{self.gin_name}.schedule = {self.schedule!r} needs {self.gin_name}.{needed}"
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
class ClassifierOptimizerSettings(OptimizerSettings):
    """`classifier_optimizer`."""

    gin_name = "classifier_optimizer"

    learning_rate: float = setting("at the start", 1e-3, above=0.0)
    beta_1: float = setting("of Adam", 0.9, minimum=0.0, below=1.0)
    beta_2: float = setting("of Adam", 0.999, minimum=0.0, below=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GapSettings(Settings):
    """`gap`: accuracy clean and under attack, and mean LLV, on images of each split (Figure 2).

    Measured while training, with the attack of `final_evaluation`. In `finetune` the accuracy
    under attack on the validation images chooses the best checkpoint.
    """

    gin_name = "gap"

    every: int = setting(
        "steps between measurements, which the last step has too in a run that is at least so "
        "long; 0 for none",
        1000,
        minimum=0,
    )
    images: int = setting("of each of training, validation and test split", 500, minimum=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualitySettings(Settings):
    """`quality`: image quality while training, on the features of `--features`.

    The averaged G is compared with training images as `evaluate quality` does, on fewer images.
    """

    gin_name = "quality"

    every: int = setting(
        "steps between measurements, which the last step has too in a run that is at least so "
        "long; 0 for none, and no alarms",
        1000,
        minimum=0,
    )
    images: int = setting("generated ones", 1000, minimum=20)
    real_images: int = setting(
        "training images compared with, evenly spaced; all if there are fewer", 10_000, minimum=20
    )
    best: str = setting(
        "the measure that chooses the best checkpoint, which is kept apart",
        "none",
        choices=BEST_MEASURES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.best != "none" and not self.every:
            raise UserError(
                f"quality.best = {self.best!r} needs measurements: bind quality.every above 0"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlarmSettings(Settings):
    """`alarms`: at what a warning is shown while training; looked at with each measured quality."""

    gin_name = "alarms"

    from_step: int = setting("no alarm before: what is new has not learnt yet", 2000, minimum=0)
    diversity: float = setting(
        "below this share of what images of a class differ by in the real data: mean distance of "
        "features, distance to the nearest, and 1 - MS-SSIM",
        0.25,
        minimum=0.0,
    )
    saturation: float = setting(
        "D is right on real or on generated images with this mean certainty, as the source loss "
        "measures it (hinge: part of the way from margin to margin); never where it knows none",
        0.98,
        above=0.5,
    )
    worsening: float = setting(
        "Fréchet distance, in multiples of the lowest so far", 2.0, minimum=1.0
    )
    stop: bool = setting("save and end the run at an alarm (exit status 4)", False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinalEvaluationSettings(Settings):
    """`final_evaluation`: accuracy on test images, clean and under PGD, when training ends.

    The attack takes `attack_steps` steps of a fifth of epsilon with no random start, as the
    paper's evaluation does.
    """

    gin_name = "final_evaluation"

    images: int = setting("test images used; 0 for no evaluation", 1000, minimum=0)
    epsilon: float = setting(
        "radius of PGD, on images in [-1, 1]; or as `'8/255'` of the [0, 1] scale",
        0.04,
        minimum=0.0,
        radius=True,
    )
    attack_steps: int = setting("steps of epsilon / 5", 20, minimum=0)
