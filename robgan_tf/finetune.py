"""Trains a robust classifier: stage 2 of Rob-GAN and its baselines.

    python -m robgan_tf.finetune --gin_file=gin/finetune/rob_gan.gin --gan_run_dir=runs/cifar10

trains the classifier of a jointly trained D on attacked real and generated images, equation (10).
Data set and D are those of that run. With other gin files the same command makes adversarial
training, equation (3), GAN-aided adversarial training (6), the penalty form (4)/(5) and clean
training. The same command on the same run directory continues where the run stopped.
"""

from absl import flags

from robgan_tf.cli import data_flag, run_flags
from robgan_tf.cli import start as command
from robgan_tf.config.configuration import as_gin
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.errors import UserError

# What is that of the GAN's run unless a gin file says otherwise.
SHARED_GROUPS = ("data", "discriminator")

_GAN_RUN_DIR = flags.DEFINE_string(
    "gan_run_dir", None, "The run of joint training whose D is fine-tuned and whose G is used."
)
_GAN_CHECKPOINT = flags.DEFINE_string("gan_checkpoint", "last", "Of it: last, or a kept step.")
_GENERATED = flags.DEFINE_string(
    "generated",
    None,
    "Generated images other than those of --gan_run_dir: an npz with `image` and `label`, a folder "
    "of class folders, or the SavedModel of an exported generator.",
)


def main():
    """Runs the command; returns its exit status."""
    if not run_flags.gin_files():
        raise UserError("no configuration: give --gin_file, for instance gin/finetune/rob_gan.gin")
    gan = _open_gan()
    of_gan = "" if gan is None else as_gin(getattr(gan.config, group) for group in SHARED_GROUPS)
    config = read_config(FinetuneConfig, run_flags.gin_files(), run_flags.gin_params(), of_gan)
    # TensorFlow takes seconds to load: a misspelt binding should not have to wait for it.
    from robgan_tf.stages.finetune import FinetuneStage

    run = FinetuneStage(config, run_flags.run_dir(), data_flag.data_dir(), gan, _GENERATED.value)
    if run_flags.is_dry_run():
        run.describe()
        return 0
    stop = run.train()
    if stop is not None:
        return stop.exit_status
    measure = run_flags.command_line(
        "robgan_tf.evaluate", "robustness", f"--run_dir={run_flags.run_dir()}", "--attack=strong"
    )
    longer = run_flags.continuation(
        "robgan_tf.finetune",
        "finetune.steps",
        2 * config.finetune.steps,
        [_GAN_RUN_DIR, _GAN_CHECKPOINT, _GENERATED],
    )
    print(f"Next: measure it with\n  {measure}\nor train longer with\n  {longer}")
    return 0


def _open_gan():
    if not _GAN_RUN_DIR.value:
        return None
    from robgan_tf.stages.finished import open_run

    gan = open_run(_GAN_RUN_DIR.value, _GAN_CHECKPOINT.value)
    if not gan.is_joint:
        raise UserError(f"{gan.path} is a run of finetune, not of joint training (--gan_run_dir)")
    return gan


if __name__ == "__main__":
    command.run(main)
