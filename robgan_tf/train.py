"""Trains Rob-GAN jointly: generator, discriminator and attacker.

    python -m robgan_tf.train --gin_file=gin/cifar10.gin

The same command on the same run directory continues where the run stopped.
"""

import json
import os
import pathlib
import shlex
import sys

from absl import flags

from robgan_tf import command
from robgan_tf.configuration import as_gin, flat, read_settings
from robgan_tf.errors import UserError
from robgan_tf.reporting import format_radius
from robgan_tf.run_directory import RunDirectory
from robgan_tf.settings import (
    CONFIGURABLES,
    AttackSettings,
    DataSettings,
    FinalEvaluationSettings,
    TrainSettings,
)

_GIN_FILE = flags.DEFINE_multi_string(
    "gin_file", [], "A gin file; repeat it to lay further files (gin/losses/...) over the first."
)
_GIN_PARAM = flags.DEFINE_multi_string(
    "gin_param", [], "A single binding such as train.steps=1000; repeatable."
)
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "The run directory; runs/<name of the first gin file> by default."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where the data is; TFDS_DATA_DIR or the TFDS default if not given."
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "Print the configuration, the models and the data shapes, and exit."
)
_WARM_START = flags.DEFINE_string(
    "warm_start", None, "Another run's directory: start a new run from its newest weights."
)

EVALUATION_BATCH = 100


def main():
    """Runs the command; returns its exit status."""
    if not _GIN_FILE.value:
        raise UserError("no configuration: give --gin_file, for instance gin/quickstart.gin")
    settings = read_settings(_GIN_FILE.value, _GIN_PARAM.value, CONFIGURABLES)
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    from robgan_tf.training.distribution import check_batch_size, make_strategy
    from robgan_tf.training.joint import build_adversary, build_evaluation_attack, build_players

    train = settings[TrainSettings]
    adversary = build_adversary(settings)
    evaluation_attack = build_evaluation_attack(settings)
    strategy = make_strategy(train.distribution, train.replicas)
    check_batch_size(train.batch_size, strategy)
    run_path = _RUN_DIR.value or os.path.join("runs", pathlib.Path(_GIN_FILE.value[0]).stem)
    run = None
    if not _DRY_RUN.value:
        config = {**flat(settings.values()), "--warm_start": _WARM_START.value}
        run = RunDirectory(run_path, config, grows="train.steps")
    data = _load_data(settings[DataSettings])
    players = build_players(settings, strategy)
    if _DRY_RUN.value:
        _print_dry_run(settings, strategy, data, players, run_path)
        return 0
    run.write_config(as_gin(settings.values()), data.description)
    stop, checkpoint = _train(settings, strategy, adversary, data, players, run)
    if stop is not None:
        print(f"Stopped and saved {checkpoint}; the same command continues.")
        _print_corrupt_files(data)
        return stop.exit_status
    _print_summary(settings, data, players, run, checkpoint, evaluation_attack)
    return 0


def _load_data(data):
    from robgan_tf.data import load_image_data

    directory = _DATA_DIR.value or os.environ.get("TFDS_DATA_DIR")
    arguments = {**vars(data), "data_dir": directory}
    del arguments["dequantize"]
    return load_image_data(**arguments)


def _train(settings, strategy, adversary, data, players, run):
    """Trains to the last step; returns the StopRequest that ended it, if one did, and the
    newest checkpoint."""
    from robgan_tf.data import training_batches
    from robgan_tf.training.checkpoints import Checkpoints
    from robgan_tf.training.gan_task import GanTask
    from robgan_tf.training.joint import build_step
    from robgan_tf.training.loop import Rhythm, TrainingLoop

    train, data_settings = settings[TrainSettings], settings[DataSettings]
    checkpoints = Checkpoints(run.checkpoints_path, vars(players), train.keep_checkpoints)
    start_step = checkpoints.restore_latest()
    if checkpoints.latest is None and _WARM_START.value:
        _load_warm_start(players)
        # The other run may train on; this one shall always start from the same weights.
        checkpoints.save(0)
    _print_start(settings, strategy, data, run, start_step)
    stop = None
    if start_step < train.steps:
        gan_step = build_step(settings, players, adversary, strategy)
        loop = TrainingLoop(
            GanTask(gan_step, data.validation if len(data.validation) else data.train),
            run,
            checkpoints,
            Rhythm(train.steps, train.log_every, train.sample_every, train.checkpoint_every),
            images_per_step=train.discriminator_updates * train.batch_size,
            description=_as_markdown(as_gin(settings.values())),
        )
        batches = training_batches(
            data.train,
            batch_size=train.batch_size,
            updates_per_step=train.discriminator_updates,
            seed=train.seed,
            start_step=start_step,
            augmentation=data_settings.augmentation,
            dequantize=data_settings.dequantize,
        )
        stop = loop.run(batches, start_step)
    return stop, checkpoints.latest


def _load_warm_start(players):
    from robgan_tf.training.checkpoints import load_weights

    models = {
        name: getattr(players, name) for name in ("generator", "discriminator", "average_generator")
    }
    loaded = load_weights(os.path.join(_WARM_START.value, "checkpoints"), models)
    print(f"Weights from {loaded}; optimizers and steps start anew.")


def _print_start(settings, strategy, data, run, start_step):
    train, attack = settings[TrainSettings], settings[AttackSettings]
    print(f"Data       {data.description}")
    print(f"Attack     {_describe_attack(attack)}")
    print(f"Replicas   {_describe_replicas(strategy)}")
    print(f"Run        {run.path}")
    begin = "from the beginning" if not start_step else f"continued from step {start_step}"
    print(
        f"Training   {train.steps} steps of {train.discriminator_updates} D updates and one G "
        f"update, batch {train.batch_size}, {begin}"
    )


def _describe_attack(attack):
    if not attack.steps:
        return "none"
    start = "random start" if attack.random_start else "no random start"
    return (
        f"PGD, {attack.steps} steps of {attack.step_size:g}, "
        f"radius {format_radius(attack.epsilon, attack.norm)}, {start}"
    )


def _describe_replicas(strategy):
    devices = ", ".join(device.split("device:")[-1] for device in strategy.extended.worker_devices)
    return f"{strategy.num_replicas_in_sync} ({devices})"


def _print_dry_run(settings, strategy, data, players, run_path):
    from robgan_tf.models.summary import summary_table

    train = settings[TrainSettings]
    print(as_gin(settings.values()))
    print(summary_table(players.generator), "\n")
    print(summary_table(players.discriminator), "\n")
    side, channels = settings[DataSettings].resolution, settings[DataSettings].channels
    print(f"Data       {data.description}")
    print(
        f"One step   images [{train.discriminator_updates}, {train.batch_size}, {side}, {side}, "
        f"{channels}] in [-1, 1], labels [{train.discriminator_updates}, {train.batch_size}]"
    )
    print(f"Attack     {_describe_attack(settings[AttackSettings])}")
    evaluation = settings[FinalEvaluationSettings]
    print(
        f"Evaluation {evaluation.images} test images, PGD-{evaluation.attack_steps} of radius "
        f"{format_radius(evaluation.epsilon)}"
    )
    print(f"Replicas   {_describe_replicas(strategy)}")
    print(f"Run        {run_path} (nothing was written)")


def _print_summary(settings, data, players, run, checkpoint, evaluation_attack):
    steps = settings[TrainSettings].steps
    result = _final_accuracy(settings, data, players, run, evaluation_attack)
    print(f"\nFinished at step {steps}.")
    print(f"  samples       {run.picture_path('samples', steps)}")
    print(f"  attacks       {run.picture_path('attacks', steps)}")
    print(f"  numbers       {run.metrics_path}")
    print(f"  checkpoint    {checkpoint}")
    if result is not None:
        radius = format_radius(result["epsilon"])
        print(f"  classifier    on {result['images']} test images: {result['clean']:.1%} clean,")
        print(
            f"                {result['attacked']:.1%} under PGD-{result['attack_steps']} "
            f"of radius {radius}"
        )
    _print_corrupt_files(data)
    python = os.path.relpath(sys.executable)
    print(
        f"  TensorBoard   {python} -m tensorboard.main --logdir {shlex.quote(str(run.path.parent))}"
    )
    print(f"Next: train longer with\n  {_longer_command(python, run, 2 * steps)}")


def _longer_command(python, run, steps):
    """The command line that continues this run to more steps."""
    flags_given = [f"--gin_file={path}" for path in _GIN_FILE.value]
    flags_given += [
        f"--gin_param={binding}"
        for binding in _GIN_PARAM.value
        if binding.partition("=")[0].strip() != "train.steps"
    ]
    flags_given.append(f"--gin_param=train.steps={steps}")
    for flag in (_DATA_DIR, _WARM_START):
        if flag.value:
            flags_given.append(f"--{flag.name}={flag.value}")
    flags_given.append(f"--run_dir={run.path}")
    return shlex.join([python, "-m", "robgan_tf.train", *flags_given])


def _print_corrupt_files(data):
    corrupt = {
        path: reason
        for source in (data.train, data.validation, data.test)
        for path, reason in source.corrupt_files.items()
    }
    if corrupt:
        print(f"  unreadable    {len(corrupt)} images, each replaced by one of its class:")
    for path, reason in corrupt.items():
        print(f"                {path} ({reason})")


def _final_accuracy(settings, data, players, run, attack):
    """Accuracy at the last step; measured once and kept in the run directory."""
    from robgan_tf.data import evaluation_batches
    from robgan_tf.evaluation import accuracy_under_attack

    wanted = settings[FinalEvaluationSettings]
    if not wanted.images:
        return None
    path = run.path / "evaluations" / f"step_{settings[TrainSettings].steps:08d}.json"
    if path.exists():
        return json.loads(path.read_text())
    images = min(wanted.images, len(data.test))
    print(f"\nMeasuring accuracy on {images} test images ...", flush=True)
    accuracy = accuracy_under_attack(
        players.discriminator,
        evaluation_batches(data.test, EVALUATION_BATCH, wanted.images),
        attack,
    )
    protocol = {"epsilon": wanted.epsilon, "attack_steps": wanted.attack_steps}
    result = {**vars(accuracy), **protocol}
    run.write_json(path, result)
    return result


def _as_markdown(gin_text):
    return "\n".join(f"    {line}" for line in gin_text.splitlines())


if __name__ == "__main__":
    command.run(main)
