"""The named cases of the benchmark: each returns rows of a table, and what else it found."""

import contextlib
import itertools

import numpy as np

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import load_image_data
from robgan_tf.errors import UserError
from robgan_tf.stages.joint import joint_batches
from robgan_tf.typing import JsonObject
from tools.benchmarks import commands, models, peers, pipeline, quality_peer
from tools.benchmarks import threads as threads_of_operations
from tools.benchmarks.foolbox import FoolboxProcess
from tools.benchmarks.options import Options
from tools.benchmarks.profile import profile
from tools.benchmarks.table import timed
from tools.benchmarks.timing import Variant
from tools.plain_form import plain_form

QUICKSTART, CIFAR10 = "gin/quickstart.gin", "gin/cifar10.gin"
STAGE_2 = [CIFAR10, "gin/finetune/adversarial_training.gin"]
SMALL, FREE = "gin/cifar10_small.gin", "gin/attacks/free.gin"
IMAGENET = {64: "gin/imagenet143_64.gin", 128: "gin/imagenet143_128.gin"}
BFLOAT16 = "train.precision='bfloat16'"
ATTACK_BATCH, ATTACK_STEPS, EPSILON = 100, 20, 0.04


def training_step_64(options: Options) -> JsonObject:
    """A step (5 D updates with PGD-5, one G update, batch 64) at the published width."""
    return _training_step(64, options)


def training_step_16(options: Options) -> JsonObject:
    """The same at a quarter of the width."""
    return _training_step(16, options)


def peers_64(options: Options) -> JsonObject:
    """A training step at width 64 against PyTorch: as written, by its guides, with our rewrites."""
    return peers.joint_training(CIFAR10, _widths(64), options)


def peers_16(options: Options) -> JsonObject:
    """The same at width 16."""
    return peers.joint_training(CIFAR10, _widths(16), options)


def stage_2_peers_64(options: Options) -> JsonObject:
    """An update of adversarial training (PGD-5, batch 128) at width 64 against PyTorch."""
    return peers.adversarial_training(STAGE_2, _widths(64)[1:], options)


def stage_2_peers_16(options: Options) -> JsonObject:
    """The same at width 16."""
    return peers.adversarial_training(STAGE_2, _widths(16)[1:], options)


def profile_64(options: Options) -> JsonObject:
    """Where the time of a step goes at width 64; with --pytorch_python PyTorch's by its guides."""
    return _profiles(64, options)


def profile_16(options: Options) -> JsonObject:
    """The same at width 16."""
    return _profiles(16, options)


def attack_64(options: Options) -> JsonObject:
    """PGD-20 on the class head at width 64, batch 100, against Foolbox on PyTorch."""
    images, labels = models.attack_inputs(ATTACK_BATCH)
    plain = plain_form(models.discriminator(64))
    arguments = (images, labels, ATTACK_STEPS, EPSILON)
    variants = [
        models.attack("plain form, float32", plain, *arguments),
        models.attack("float32", models.discriminator(64, weights_of=plain), *arguments),
        models.attack(
            "bfloat16",
            models.discriminator(64, precision="bfloat16", weights_of=plain),
            *arguments,
            precision="bfloat16",
        ),
    ]
    more: JsonObject = {}
    with contextlib.ExitStack() as stack:
        if options.pytorch_python:
            for kind, name in (
                ("tuned", "Foolbox, tuned (frozen, channels last)"),
                ("as_called", "Foolbox on PyTorch as users call it"),
            ):
                process = FoolboxProcess(
                    options.pytorch_python,
                    plain,
                    images,
                    labels,
                    kind=kind,
                    steps=ATTACK_STEPS,
                    epsilon=EPSILON,
                )
                stack.callback(process.close)
                variants.insert(0, process.variant(name))
                more["pytorch"] = process.versions
        else:
            more["left_out"] = "Foolbox, which needs --pytorch_python"
        return {**timed(variants, options), **more}


def attack_steps(options: Options) -> JsonObject:
    """A step with one D update at width 16, batch 64, by the steps of PGD."""
    counts = (0, 1, 2, 5, 10, 20)
    variants = [
        models.training_step(
            f"PGD-{count}",
            CIFAR10,
            [*_sized(16, 64), f"ProjectedGradientDescent.steps={count}"],
        )
        for count in counts
    ]
    images, labels = models.attack_inputs(64)
    unit = models.forward_and_input_gradient(
        "one forward pass and input gradient", models.discriminator(16), images, labels
    )
    result = timed([*variants, unit], options)
    seconds = [row["seconds"] for row in result["rows"]]
    slope, start = np.polyfit(counts, seconds[:-1], 1)
    deviation = np.abs(np.polyval([slope, start], counts) - seconds[:-1]).max()
    return {
        **result,
        "seconds_per_attack_step": slope,
        "slope_over_forward_and_input_gradient": slope / seconds[-1],
        "largest_deviation_from_the_line_in_seconds": deviation,
    }


def growth(options: Options) -> JsonObject:
    """A step with one D update: how its time grows with width, batch and resolution."""
    variants = [
        *(
            models.training_step(f"width {width}, batch 32, 32 px", CIFAR10, _sized(width, 32))
            for width in (8, 16, 32, 64)
        ),
        *(
            models.training_step(f"width 16, batch {batch}, 32 px", CIFAR10, _sized(16, batch))
            for batch in (8, 64, 128)
        ),
        *(
            models.training_step(f"width 16, batch 8, {size} px", file, _sized(16, 8))
            for size, file in IMAGENET.items()
        ),
    ]
    return timed(variants, options)


def evaluated_images(options: Options) -> JsonObject:
    """Accuracy under PGD-20 at width 16, in batches of 100, by the number of images."""
    model = models.discriminator(16)
    return timed(
        [
            models.evaluation(f"{count} images", model, count, EPSILON, ATTACK_BATCH)
            for count in (100, 200, 400, 800, 1600)
        ],
        options,
    )


def compared_runs(options: Options) -> JsonObject:
    """A step of the runs compared in docs/results: gin/cifar10_small.gin at width 8."""
    return timed(
        [
            models.training_step("PGD-3, float32", SMALL, _widths(8)),
            models.training_step("PGD-3, bfloat16", SMALL, [*_widths(8), BFLOAT16]),
            models.training_step("free, 2 replays, float32", [SMALL, FREE], _widths(8)),
        ],
        options,
    )


def both_stages(options: Options) -> JsonObject:
    """A step of each training of gin/experiments, to compare them at equal wall-clock."""
    joint = [SMALL, "gin/baselines/without_spectral_normalization.gin"]
    joint.append("gin/experiments/small_joint.gin")
    overlay = "gin/experiments/small_classifier.gin"
    scratch = [*joint, "gin/finetune/adversarial_training.gin", overlay]
    tuned = [*joint, "gin/finetune/rob_gan.gin", overlay]
    return timed(
        [
            models.training_step("joint training: 2 D updates, 1 G update", joint),
            models.classifier_step(
                "fine-tuning: 32 real and 32 generated", tuned, ["finetune.batch_size=64"], joint
            ),
            models.classifier_step("adversarial training: 32 real", scratch),
        ],
        options,
    )


def objectives(options: Options) -> JsonObject:
    """An update of each objective of stage 2, to compare them at equal seconds."""
    joint = [SMALL, "gin/baselines/without_spectral_normalization.gin"]
    chosen: dict[str, list[str]] = {
        "adversarial training": [],
        "TRADES": ["gin/finetune/trades.gin"],
        "MART": ["gin/finetune/mart.gin"],
        "adversarial training, weights perturbed": ["gin/finetune/awp.gin"],
    }
    variants = []
    for name, overlay in chosen.items():
        over = [*overlay, "gin/experiments/small_classifier.gin"]
        alone = [*joint, "gin/finetune/adversarial_training.gin", *over]
        variants.append(models.classifier_step(f"{name}: 32 real", alone))
        aided = [*joint, "gin/finetune/gan_aided.gin", *over]
        variants.append(
            models.classifier_step(
                f"{name}: 32 real and 32 generated", aided, ["finetune.batch_size=64"], joint
            )
        )
    return timed(variants, options)


def convergence(options: Options) -> JsonObject:
    """A step of each run of docs/results/convergence, for curves against seconds."""
    bare = [SMALL, "gin/baselines/without_spectral_normalization.gin"]
    none, ac_gan = "gin/attacks/none.gin", "gin/losses/ac_gan.gin"
    files = {
        "split_attack": bare,
        "split_none": [*bare, none],
        "ac_gan_attack": [*bare, ac_gan],
        "ac_gan_none": [*bare, none, ac_gan],
        "sn_attack": [SMALL],
        "sn_gan": [SMALL, "gin/baselines/projection.gin"],
    }
    overlay = "gin/experiments/convergence.gin"
    return timed(
        [models.training_step(name, [*chosen, overlay]) for name, chosen in files.items()], options
    )


def replicas(options: Options) -> JsonObject:
    """A step at width 16, batch 64, shared out to logical CPU devices of the same cores."""
    # The larger number first: TensorFlow fixes its devices at the first use of any.
    two, one = (
        models.training_step(
            f"{count} replica(s)",
            CIFAR10,
            [*_widths(16), "train.discriminator_updates=1"],
            replicas=count,
        )
        for count in (2, 1)
    )
    return timed([one, two], options)


def threads(options: Options) -> JsonObject:
    """Steps of narrow networks with all cores on each operation, and with one (`train.threads`)."""
    return threads_of_operations.measure(options)


def input_pipeline(options: Options) -> JsonObject:
    """CIFAR-10 decoded, shuffled and augmented: batches alone, without a model."""
    data_dir = _data_dir(options)
    config = read_config(JointConfig, [CIFAR10], [])
    data = load_image_data(**config.data.loading(data_dir))
    batches = iter(joint_batches(config, data.train))
    steps = 20

    def run() -> None:
        for batch in itertools.islice(batches, steps):
            batch["images"].numpy()

    images = steps * config.train.batch_size * config.train.discriminator_updates
    return timed([Variant("CIFAR-10, pad, crop and flip", run, images)], options)


def imagenet_pipeline(options: Options) -> JsonObject:
    """ImageNet-143 from its record files, cropped and mirrored: batches alone, without a model."""
    return pipeline.measure(IMAGENET, _data_dir(options), options.rounds)


def quality(options: Options) -> JsonObject:
    """`evaluate quality` against torch-fidelity: 5,000 and 5,000 images, whole commands."""
    return quality_peer.measure(CIFAR10, options)


def start_up(options: Options) -> JsonObject:
    """From the train command to its first compiled call, and to its first finished step."""
    data_dir = _data_dir(options)
    found: JsonObject = {}
    for gin_file in (QUICKSTART, SMALL, CIFAR10):
        starts = [commands.start_up(gin_file, data_dir) for _ in range(options.rounds)]
        found[gin_file] = {
            "graph_nodes": models.training_step_nodes([gin_file]),
            **{f"seconds_{name}": [start[name] for start in starts] for name in starts[0]},
        }
    return found


def memory(options: Options) -> JsonObject:
    """Peak memory of a short training at width 64: 2 steps, records, pictures, checkpoints."""
    data_dir = _data_dir(options)
    return {
        "float32": commands.peak_memory(CIFAR10, data_dir),
        "bfloat16": commands.peak_memory(CIFAR10, data_dir, [BFLOAT16]),
    }


CASES = {
    case.__name__: case
    for case in (
        training_step_64,
        training_step_16,
        peers_64,
        peers_16,
        stage_2_peers_64,
        stage_2_peers_16,
        profile_64,
        profile_16,
        attack_64,
        attack_steps,
        growth,
        evaluated_images,
        compared_runs,
        both_stages,
        objectives,
        convergence,
        replicas,
        threads,
        input_pipeline,
        imagenet_pipeline,
        quality,
        start_up,
        memory,
    )
}


def _training_step(width: int, options: Options) -> JsonObject:
    bindings = _widths(width)
    variants = [
        models.training_step("plain form, float32", CIFAR10, bindings, plain=True),
        models.training_step("float32", CIFAR10, bindings),
        models.training_step("bfloat16", CIFAR10, [*bindings, BFLOAT16]),
    ]
    return timed(variants, options)


def _profiles(width: int, options: Options) -> JsonObject:
    profiles = {}
    for precision in peers.FORMS:
        bindings = [*_widths(width), f"train.precision='{precision}'"]
        variant = models.training_step(precision, CIFAR10, bindings)
        for _ in range(2):
            variant.run()
        profiles[precision] = profile(variant.run)
    if options.pytorch_python:
        profiles |= peers.joint_profiles(CIFAR10, _widths(width), options.pytorch_python)
    return {"profiles": profiles}


def _widths(width: int) -> list[str]:
    return [f"ResNetGenerator.base_width={width}", f"ResNetDiscriminator.base_width={width}"]


def _sized(width: int, batch: int) -> list[str]:
    return [*_widths(width), f"train.batch_size={batch}", "train.discriminator_updates=1"]


def _data_dir(options: Options) -> str:
    if not options.data_dir:
        raise UserError("this case reads prepared images: give --data_dir")
    return options.data_dir
