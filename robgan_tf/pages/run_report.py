"""The page of one run: everything that is known of it, for somebody who has nothing else."""

import statistics
from collections.abc import Mapping

from robgan_tf.pages.page import Block, Code, Page, Picture, Pictures, Section, Table, Text
from robgan_tf.pages.run_curves import curve_pictures, gap_pictures
from robgan_tf.pages.run_evaluations import masking, quality, robustness
from robgan_tf.pages.run_source import RunSource
from robgan_tf.quality.alarms import alarms_seen
from robgan_tf.reporting import format_duration, format_radius
from robgan_tf.runs.continuation import CHANGES, DATA_FOUND, REPLICAS
from robgan_tf.typing import JsonObject

_GAP = ("train", "validation", "test")
_SESSION = {
    "processor": "processor",
    "cores": "cores",
    "devices": "accelerators",
    "system": "system",
    "python": "Python",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "numpy": "numpy",
    "robgan_tf": "robgan_tf",
    "peak_memory_mib": "peak memory, MiB",
    "peak_device_memory_mib": "peak memory of the accelerator, MiB",
}


def run_report(source: RunSource) -> Page:
    """Writes the page of a run.

    Args:
      source: the run.

    Raises:
      UserError: if an evaluation of it is damaged.
    """
    sections = [
        Section("At a glance", [Table(["", ""], _glance(source))]),
        Section("Command", _command(source)),
        Section("Generated images", _picture(source, "samples")),
        Section("Attacked images", _picture(source, "attacks")),
        Section("Accuracy under attack", robustness(source.evaluations)),
        Section("Signs of masked gradients", masking(source.evaluations)),
        Section("Training against test images", _gap(source)),
        Section("Image quality", quality(source.evaluations, source.records)),
        Section("Curves", [Pictures(curve_pictures(source))]),
        Section("Time, memory and machine", _machine(source)),
        Section("Every setting", _settings(source.config), is_folded=True),
    ]
    return Page(
        f"{source.name}: {_method(source)}",
        f"{_length(source)}, seed {source.seed}, on {_data(source)}. Rob-GAN (Liu and Hsieh, CVPR "
        "2019) in TensorFlow. Radii are on images in [-1, 1], in brackets as k/255 of [0, 1].",
        [section for section in sections if section.blocks and section.blocks != [Pictures([])]],
    )


def _method(source: RunSource) -> str:
    config = source.config
    if source.is_joint:
        form = {"split": "split loss (9)", "ac_gan": "AC-GAN loss (8)"}
        loss = form.get(config.get("AdversarialLoss.form", ""), "")
        if config.get("ResNetDiscriminator.head") == "projection":
            loss = "projection head"
        elif config.get("ResNetDiscriminator.head") == "none":
            loss = "no classes"
        return f"joint training, {loss or 'a GAN'}, {_attack(config)}"
    share = config.get("finetune.generated_share", 0.0)
    if config.get("finetune.start") == "gan":
        kind = "fine-tuning of the discriminator"
    else:
        kind = "a classifier from fresh weights"
    with_images = " with generated images" if share else ""
    return f"{kind}{with_images}, {_attack(config)}"


def _attack(config: JsonObject) -> str:
    steps = config.get("ProjectedGradientDescent.steps", 0)
    if not steps:
        return "no attack"
    norm = config.get("ProjectedGradientDescent.norm", "linf")
    radius = format_radius(config["ProjectedGradientDescent.epsilon"], norm)
    return f"attack of {steps} steps, radius {radius}"


def _length(source: RunSource) -> str:
    if source.step >= source.steps:
        return f"Finished, {source.steps:,} steps"
    return (
        f"Not finished: step {source.step:,} of {source.steps:,} ({source.step / source.steps:.0%})"
    )


def _data(source: RunSource) -> str:
    return source.config.get(DATA_FOUND) or source.config.get("data.dataset", "unknown data")


def _glance(source: RunSource) -> list[list[str]]:
    rows = [["what", _method(source)], ["state", _length(source)], ["data", _data(source)]]
    for name, found in source.evaluations.items():
        if "clean" in found and "attacked" in found:
            radius = format_radius(found["epsilon"])
            step = int(name.removeprefix("step_")) if name.startswith("step_") else source.step
            of = f"{found['images']} test images, step {step:,}"
            rows.append([f"clean accuracy, {of}", f"{found['clean']:.1%}"])
            attack = f"PGD-{found['attack_steps']} of radius {radius}"
            rows.append([f"accuracy under {attack}", f"{found['attacked']:.1%}"])
    last = source.records[-1]
    rows += [
        [f"`{name}` at the last step".replace("`", ""), f"{last[name]:.4g}"]
        for name in sorted(last)
        if name.startswith("fid/")
    ]
    if source.seconds is not None:
        rows.append(["time of training", format_duration(source.seconds)])
    seen = alarms_seen(source.records)
    if seen["measurements"]:
        rows.append(["alarms of collapse", _alarms(seen["alarms"])])
    return rows


def _alarms(alarms: Mapping[str, JsonObject]) -> str:
    return (
        "; ".join(
            f"{name} at {seen['times']} measurements, steps {seen['first_step']:,} to "
            f"{seen['last_step']:,}"
            for name, seen in sorted(alarms.items())
        )
        or "none"
    )


def _command(source: RunSource) -> list[Block]:
    commands = list(dict.fromkeys(x["command"] for x in source.sessions if "command" in x))
    if not commands:
        again = f"robgan-tf {source.group} --gin_file={source.path}/config.gin --run_dir=NEW"
        # Names of flags whose values lie outside the settings.
        for flag in ("--gan_run_dir", "--warm_start", "--features"):
            if source.config.get(flag):
                again += f" {flag}='{source.config[flag]}'"
        return [
            Text("The run does not say how it was started; its settings give the same run:"),
            Code(again),
        ]
    more = "Several sessions made it:" if len(commands) > 1 else "It was made by:"
    return [Text(more), Code("\n".join(commands))]


def _picture(source: RunSource, kind: str) -> list[Block]:
    if kind not in source.pictures:
        return []
    step, content = source.pictures[kind]
    at = "the newest" if step is None else f"step {step:,}"
    if kind == "samples":
        alt = f"Images of the averaged generator of {source.name}, a class a row, {at}"
        caption = f"A class a row, the same latents in every row; {at}."
    else:
        alt = f"Test images of {source.name} before and after the attack, and the differences, {at}"
        caption = f"Images before and after the attack, with what the classifier says; {at}."
    return [Pictures([Picture(f"{kind}.png", content, alt, caption)])]


def _gap(source: RunSource) -> list[Block]:
    measured = [record for record in source.records if "gap/test_clean" in record]
    if not measured:
        return []
    last = measured[-1]
    rows = [
        [
            split,
            f"{last[f'gap/{split}_clean']:.1%}",
            f"{last[f'gap/{split}_attacked']:.1%}",
            f"{last[f'gap/{split}_lipschitz']:.3f}",
        ]
        for split in _GAP
        if f"gap/{split}_clean" in last
    ]
    config = source.config
    attack = (
        f"PGD-{config.get('final_evaluation.attack_steps')} of radius "
        f"{format_radius(config.get('final_evaluation.epsilon', 0.0))}"
    )
    caption = (
        f"At step {last['step']:,}, {attack}, at most {config.get('gap.images')} images a split."
    )
    header = ["split", "clean", "under attack", "mean local Lipschitz value"]
    return [Table(header, rows, caption), Pictures(gap_pictures(source))]


def _machine(source: RunSource) -> list[Block]:
    speeds = [
        x["speed/images_per_second"] for x in source.records if "speed/images_per_second" in x
    ]
    rows = []
    if source.seconds is not None:
        rows.append(["training, without evaluations and pictures", format_duration(source.seconds)])
        milliseconds = f"{1000.0 * source.seconds / max(1, source.step):.4g}"
        rows.append(["milliseconds a step", milliseconds])
    if speeds:
        rows.append(["real images a second, median", f"{statistics.median(speeds):.4g}"])
    for record in source.config.get(REPLICAS, []):
        rows.append([f"replicas from step {record['from_step']:,} on", str(record["count"])])
    blocks: list[Block] = [Table(["", ""], rows)] if rows else []
    if source.seconds_per_step is not None:
        blocks.append(
            Text(f"Seconds are steps of {source.seconds_per_step:.4g} s, measured apart.")
        )
    if not source.sessions:
        return [*blocks, Text("The run does not say on what machine it was made.")]
    columns = [f"from step {x.get('from_step', '?')}" for x in source.sessions]
    machine = [
        [title, *(_shown(x.get(name)) for x in source.sessions)]
        for name, title in _SESSION.items()
        if any(x.get(name) for x in source.sessions)
    ]
    return [*blocks, Table(["session", *columns], machine)]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "-" if value is None else str(value)


def _settings(config: JsonObject) -> list[Block]:
    settings = [
        [name, _shown(value)] for name, value in config.items() if name not in (CHANGES, REPLICAS)
    ]
    blocks: list[Block] = [Table(["setting", "value"], settings)]
    if config.get(CHANGES):
        rows = [
            [f"{x['from_step']:,}", x["name"], _shown(x["before"]), _shown(x["after"])]
            for x in config[CHANGES]
        ]
        blocks.append(Table(["from step", "changed", "before", "after"], rows))
    return blocks
