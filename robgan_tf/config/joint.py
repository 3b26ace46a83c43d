"""Everything that configures joint training, stage 1."""

import dataclasses

from robgan_tf.choices import DISCRIMINATORS, GENERATORS
from robgan_tf.config.configuration import Configuration
from robgan_tf.config.fields import Settings, setting
from robgan_tf.config.groups import (
    PRECISIONS,
    STRATEGIES,
    TENSORFLOW_THREADS,
    THREADS,
    AdversarySettings,
    AlarmSettings,
    AttackSettings,
    DataSettings,
    DiscriminatorOptimizerSettings,
    DiscriminatorSettings,
    FinalEvaluationSettings,
    GapSettings,
    GeneratorOptimizerSettings,
    GeneratorSettings,
    LossSettings,
    QualitySettings,
)


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
    generator_batch_size: int | None = setting(
        "images in the G update alone; None for `train.batch_size`", None, minimum=1
    )
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
    generator: str = setting(
        "which network G is, with the settings of `ResNetGenerator`", "resnet", choices=GENERATORS
    )
    discriminator: str = setting(
        "which network D is, with the settings of `ResNetDiscriminator`",
        "resnet",
        choices=DISCRIMINATORS,
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
        choices=PRECISIONS,
    )
    average_decay: float = setting(
        "decay of the moving average of G", 0.999, minimum=0.0, below=1.0
    )
    log_every: int = setting("steps between records", 50, minimum=1)
    sample_every: int = setting("steps between sheets", 1000, minimum=1)
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
    replicas: int | None = setting(
        "None: every GPU, or one CPU; a number of logical CPU devices where there is no GPU; of "
        "each worker where there are several",
        None,
        minimum=1,
    )
    threads: str = setting(
        "`tensorflow`: every core works on each operation; `one_per_operation`: one core on each, "
        "and as many operations at once as there are cores, which is faster where networks are "
        "narrow; `auto`: on CPUs the faster of the two, timed before the first step of a new run "
        "and kept for all of it, elsewhere `tensorflow`. It moves results by rounding",
        TENSORFLOW_THREADS,
        choices=THREADS,
    )

    @property
    def images_in_generator_update(self) -> int:
        """Images in the G update, over all replicas."""
        return self.generator_batch_size or self.batch_size

    @property
    def pictures_every(self) -> int:
        """Steps between pictures, as every stage calls it."""
        return self.sample_every


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointConfig(Configuration):
    """The configuration of a run of joint training, in the order in which it is shown."""

    train: TrainSettings
    data: DataSettings
    generator: GeneratorSettings = dataclasses.field(default_factory=GeneratorSettings)
    discriminator: DiscriminatorSettings = dataclasses.field(default_factory=DiscriminatorSettings)
    loss: LossSettings = dataclasses.field(default_factory=LossSettings)
    attack: AttackSettings
    adversary: AdversarySettings = dataclasses.field(default_factory=AdversarySettings)
    generator_optimizer: GeneratorOptimizerSettings = dataclasses.field(
        default_factory=GeneratorOptimizerSettings
    )
    discriminator_optimizer: DiscriminatorOptimizerSettings = dataclasses.field(
        default_factory=DiscriminatorOptimizerSettings
    )
    gap: GapSettings = dataclasses.field(default_factory=GapSettings)
    quality: QualitySettings = dataclasses.field(default_factory=QualitySettings)
    alarms: AlarmSettings = dataclasses.field(default_factory=AlarmSettings)
    final_evaluation: FinalEvaluationSettings = dataclasses.field(
        default_factory=FinalEvaluationSettings
    )

    @property
    def stage(self) -> TrainSettings:
        """The settings of the stage itself: its length, batches and bookkeeping."""
        return self.train
