"""What a run of classifier training prints at its start, at its end, and instead of running."""

from robgan_tf.models.summary import summary_table
from robgan_tf.stages.report import print_conditions, print_results


def print_start(config, strategy, data, origin, run, start_step):
    """Prints what is about to be trained, on what, and from which step."""
    wanted = config.finetune
    _print_conditions(config, strategy, data, origin)
    print(f"Run        {run.path}")
    begin = "from the beginning" if not start_step else f"continued from step {start_step}"
    print(f"Training   {wanted.steps} steps, {_batch(wanted)}, {wanted.precision}, {begin}")
    if not len(data.validation):
        print("Best       no checkpoint will be chosen: data.validation_examples is 0")
    print(end="", flush=True)


def print_plan(config, strategy, data, players, origin, run_dir):
    """Prints the configuration, the model and the data shapes of a run that is not made."""
    wanted, prepared = config.finetune, config.data
    side = prepared.resolution
    print(config.as_gin())
    print(summary_table(players.classifier), "\n")
    _print_conditions(config, strategy, data, origin)
    print(
        f"One step   {_batch(wanted)}, images [N, {side}, {side}, {prepared.channels}] in [-1, 1]"
    )
    print(f"Run        {run_dir} (nothing was written)")


def print_summary(run, steps, checkpoint, best, accuracy):
    """Prints where everything is and how well the classifier does.

    Args:
      run: the RunDirectory.
      steps: the last step.
      checkpoint: path prefix of the newest checkpoint.
      best: the BestCheckpoint.
      accuracy: as in `joint_report.print_summary`.
    """
    print(f"\nFinished at step {steps}.")
    print_results(run, steps, checkpoint, accuracy)
    if int(best.step):
        print(
            f"  best          step {int(best.step)}: {float(best.value):.1%} of validation images "
            "withstand (--checkpoint=best)"
        )


def _print_conditions(config, strategy, data, origin):
    wanted = config.finetune
    print_conditions(strategy, data, config.attack, wanted.free)
    start = "fresh weights" if wanted.start == "scratch" else f"D of {origin['--gan_run_dir']}"
    print(f"Start      {wanted.network}, {start}")
    if wanted.generated_share:
        print(f"Generated  {origin['--generated'] or 'averaged G of ' + origin['--gan_run_dir']}")


def _batch(wanted):
    if not wanted.generated_share:
        return f"batch {wanted.batch_size}"
    real = wanted.batch_size - wanted.generated_count
    return (
        f"batch {real} real and {wanted.generated_count} generated images of weight "
        f"{wanted.generated_weight:g}"
    )
