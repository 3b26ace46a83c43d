"""What is to be done for one run: commands that anyone could type, one after the other."""

import dataclasses
import pathlib
import shlex
import sys

from robgan_tf.reproduction.experiment import Experiment, Member, group_of


@dataclasses.dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
      name: of it, and of its log.
      words: the command and its arguments, as after `robgan-tf`.
      member: the run that it is for.
      kind: "training", or what the evaluation is of.
    """

    name: str
    words: tuple[str, ...]
    member: Member
    kind: str

    @property
    def shown(self) -> str:
        """The command as it is typed."""
        return shlex.join(["robgan-tf", *self.words])

    @property
    def process(self) -> list[str]:
        """The command line of its process."""
        command, *arguments = self.words
        return [sys.executable, "-m", f"robgan_tf.{command}", *arguments]


def jobs_of(experiment: Experiment, member: Member) -> list[Job]:
    """The jobs of a run in their order: training, then every evaluation."""
    run_dir = experiment.run_dir(member)
    jobs = [Job(member.label, _training(experiment, member, run_dir), member, "training")]
    for kind in member.plan.evaluations:
        words = _evaluation(experiment, run_dir, kind)
        jobs.append(Job(f"{member.label}_{kind}", words, member, kind))
    return jobs


def _training(experiment: Experiment, member: Member, run_dir: pathlib.Path) -> tuple[str, ...]:
    plan, gan = member.plan, experiment.gan_of(member)
    words = [plan.command]
    words += [f"--gin_file={path}" for path in plan.gin_files]
    words += [f"--gin_param={binding}" for binding in plan.gin_params]
    words.append(f"--gin_param={group_of(plan)}.seed={member.seed}")
    if gan is not None:
        words.append(f"--gan_run_dir={experiment.run_dir(gan)}")
    if plan.command == "train" and experiment.features:
        words.append(f"--features={experiment.features}")
    return (*words, *_data(experiment), f"--run_dir={run_dir}")


def _evaluation(experiment: Experiment, run_dir: pathlib.Path, kind: str) -> tuple[str, ...]:
    scale = experiment.scale
    words = ["evaluate", "robustness", f"--run_dir={run_dir}", "--attack=published"]
    if kind == "train":
        words += ["--split=train", f"--images={scale.train_images}", f"--epsilons={scale.radius:g}"]
    else:
        words.append(f"--epsilons={','.join(f'{radius:g}' for radius in scale.radii)}")
    if kind == "best":
        words.append("--checkpoint=best")
    return (*words, "--nomasking", f"--batch_size={scale.batch_size}", *_data(experiment))


def _data(experiment: Experiment) -> list[str]:
    return [] if experiment.data_dir is None else [f"--data_dir={experiment.data_dir}"]
