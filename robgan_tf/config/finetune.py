"""Everything that configures stage 2, fine-tuning, and its baselines."""

import dataclasses

from robgan_tf.choices import DISCRIMINATORS, NETWORKS, OBJECTIVES, TRAINING_ATTACKS
from robgan_tf.config.configuration import Configuration
from robgan_tf.config.fields import Settings, setting
from robgan_tf.config.groups import (
    PRECISIONS,
    STRATEGIES,
    TENSORFLOW_THREADS,
    THREADS,
    AttackSettings,
    ClassifierOptimizerSettings,
    DataSettings,
    DiscriminatorSettings,
    FinalEvaluationSettings,
    GapSettings,
    PreActResNet18Settings,
)
from robgan_tf.errors import UserError

STARTS = ("gan", "scratch")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneSettings(Settings):
    """`finetune`: stage 2 and its baselines (`training.finetune_step.FinetuneStep`).

    A step is one update of the classifier (the replays of free adversarial training are several).
    """

    gin_name = "finetune"

    steps: int = setting("the last step; a higher value continues a finished run", minimum=1)
    batch_size: int = setting("images in each batch, real and generated together", 128, minimum=1)
    accumulation_steps: int = setting(
        "micro-batches that each batch is worked through in, one after the other, their gradients "
        "added up: memory of a part of the batch, the update of all of it; see "
        "[Several machines](../guides/several_machines.md)",
        1,
        minimum=1,
    )
    seed: int = setting(
        "of weights, data order, noise, latents and random starts", 0, minimum=0, below=2**32
    )
    start: str = setting(
        "from the D of `--gan_run_dir`, equation (10), or from fresh weights, equations (3) to (6)",
        "gan",
        choices=STARTS,
    )
    network: str = setting(
        "what is trained",
        "discriminator",
        choices=NETWORKS,
    )
    discriminator: str = setting(
        "which network D is, as in `train`, where `finetune.network` is `discriminator`",
        "resnet",
        choices=DISCRIMINATORS,
    )
    objective: str = setting(
        "what the update minimises and its attack maximises",
        "adversarial_training",
        choices=OBJECTIVES,
    )
    divergence_weight: float = setting(
        "beta of TRADES, lambda of MART: of the divergence between predictions on clean and on "
        "attacked images",
        6.0,
        minimum=0.0,
    )
    label_smoothing: float = setting(
        "probability given to all classes evenly in cross-entropies, on real images",
        0.0,
        minimum=0.0,
        below=1.0,
    )
    generated_share: float = setting(
        "of generated images in a batch; 0 for none", 0.5, minimum=0.0, below=1.0
    )
    generated_weight: float = setting(
        "lambda of equation (6): of the mean loss on generated images against that on real ones",
        0.5,
        minimum=0.0,
    )
    generated_label_smoothing: float = setting(
        "probability given to all classes evenly, on generated images", 0.0, minimum=0.0, below=1.0
    )
    weight_perturbation: float = setting(
        "gamma of adversarial weight perturbation: the gradient is taken where every kernel is "
        "moved by so much of its length to raise the loss; 0 for none",
        0.0,
        minimum=0.0,
    )
    weight_perturbation_warmup_steps: int = setting(
        "first steps, which are made without weight perturbation", 0, minimum=0
    )
    lipschitz_weight: float = setting(
        "lambda of equations (4) and (5): of the mean local Lipschitz value", 0.0, minimum=0.0
    )
    attack: str = setting("as in `TrainingAdversary`", "pgd", choices=TRAINING_ATTACKS)
    warmup_steps: int = setting(
        "steps in which the radius of the attack grows from 0", 0, minimum=0
    )
    free: bool = setting(
        "free adversarial training: each batch makes `ProjectedGradientDescent.steps` updates, "
        "each of which moves the images by one step for the next, along the gradient of the loss "
        "that is minimised, smoothed labels and penalty included",
        False,
    )
    average_decay: float = setting(
        "decay of the moving average of the weights, which is then what is measured and kept as "
        "the best; 0 for none",
        0.0,
        minimum=0.0,
        below=1.0,
    )
    precision: str = setting(
        "of convolutions and activations, as in `train`", "float32", choices=PRECISIONS
    )
    log_every: int = setting("steps between records", 50, minimum=1)
    picture_every: int = setting("steps between pictures of attacked images", 1000, minimum=1)
    checkpoint_every: int = setting("steps between checkpoints", 1000, minimum=1)
    keep_checkpoints: int = setting("how many of the newest are kept", 3, minimum=1)
    keep_every_hours: float = setting(
        "of the checkpoints that are not among the newest, the first one and each that was saved "
        "so many hours after the one kept before it stay for good; 0 for none",
        0.0,
        minimum=0.0,
    )
    deterministic: bool = setting(
        "operations that give the same bits every time, also on GPUs, where they may be slower; on "
        "CPUs they do anyway",
        False,
    )
    distribution: str = setting(
        "`mirrored`: `MirroredStrategy`, or where TF_CONFIG names several workers "
        "`MultiWorkerMirroredStrategy`; or `single_device`",
        "mirrored",
        choices=STRATEGIES,
    )
    replicas: int | None = setting("as in `train`", None, minimum=1)
    threads: str = setting("as in `train`", TENSORFLOW_THREADS, choices=THREADS)

    @property
    def pictures_every(self) -> int:
        """Steps between pictures, as every stage calls it."""
        return self.picture_every

    @property
    def generated_count(self) -> int:
        """Generated images in a batch."""
        return round(self.batch_size * self.generated_share)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generated_share and not 0 < self.generated_count < self.batch_size:
            raise UserError(
                f"finetune.generated_share = {self.generated_share:g} of finetune.batch_size = "
                f"{self.batch_size} leaves no real or no generated image in a batch"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinetuneConfig(Configuration):
    """The configuration of a run of the finetune command, in the order in which it is shown."""

    finetune: FinetuneSettings
    data: DataSettings
    discriminator: DiscriminatorSettings = dataclasses.field(default_factory=DiscriminatorSettings)
    preact_resnet18: PreActResNet18Settings = dataclasses.field(
        default_factory=PreActResNet18Settings
    )
    attack: AttackSettings
    classifier_optimizer: ClassifierOptimizerSettings = dataclasses.field(
        default_factory=ClassifierOptimizerSettings
    )
    gap: GapSettings = dataclasses.field(default_factory=GapSettings)
    final_evaluation: FinalEvaluationSettings = dataclasses.field(
        default_factory=FinalEvaluationSettings
    )

    @property
    def stage(self) -> FinetuneSettings:
        """The settings of the stage itself: its length, batches and bookkeeping."""
        return self.finetune
