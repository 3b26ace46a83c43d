"""What there is already of a run: nothing, k %, all of it, or a record in its place."""

import dataclasses
import pathlib

import filelock

from robgan_tf.comparison.configurations import settings_that_differ
from robgan_tf.comparison.record import evaluations_of, write_record
from robgan_tf.comparison.run import SECONDS, Run
from robgan_tf.comparison.sources import read_run
from robgan_tf.config import numerics
from robgan_tf.config.groups import READING
from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object
from robgan_tf.reporting import read_metrics
from robgan_tf.reproduction.experiment import Experiment, Member
from robgan_tf.reproduction.jobs import Job, jobs_of
from robgan_tf.reproduction.measured import find
from robgan_tf.runs.continuation import DATA_FOUND
from robgan_tf.typing import JsonObject

# What a plan does not say, or what does not change the images of CIFAR-10 and digits.
_OF_VERSIONS = (numerics.KEY, READING, DATA_FOUND)


@dataclasses.dataclass(frozen=True)
class State:
    """What there is of a run.

    Attributes:
      member: the run.
      steps: how many it is to have.
      step: how many its metrics tell of.
      record: the committed record that counts in its place, or None.
      why_not: why the committed record does not count; "" if it does, or if there is none.
      missing: its jobs that are not done; of a recorded run those of its training where another
        run starts from it.
      is_in_use: whether a process works in its directory.
      seconds_per_step: measured in it or in its record, or None.
    """

    member: Member
    steps: int
    step: int
    record: pathlib.Path | None
    why_not: str
    missing: tuple[Job, ...]
    is_in_use: bool
    seconds_per_step: float | None

    @property
    def is_done(self) -> bool:
        """Whether nothing has to be run for it."""
        return not self.missing

    @property
    def shown(self) -> str:
        """In a word or two."""
        if self.is_in_use:
            return f"running, {self.share:.0%}"
        if self.is_done:
            return "recorded" if self.record else "done"
        if any(job.kind == "training" for job in self.missing):
            return f"{self.share:.0%}" if self.step else "missing"
        return f"trained, {len(self.missing)} evaluations missing"

    @property
    def share(self) -> float:
        """Of its steps that are made."""
        return self.step / self.steps


def states(experiment: Experiment) -> dict[str, State]:
    """The state of every run, by its label.

    Raises:
      UserError: if a run directory holds another run than is planned.
    """
    found = {x.label: _state(experiment, x) for x in experiment.members}
    for member in experiment.members:
        gan = experiment.gan_of(member)
        needs_training = any(x.kind == "training" for x in found[member.label].missing)
        if gan is not None and needs_training and found[gan.label].record is not None:
            # The record has no weights to start from.
            training = jobs_of(experiment, gan)[:1]
            if not is_trained(experiment.run_dir(gan), found[gan.label].steps):
                found[gan.label] = dataclasses.replace(found[gan.label], missing=tuple(training))
    return found


def _state(experiment: Experiment, member: Member) -> State:
    config = experiment.config_of(member)
    steps = config.stage.steps
    run_dir = experiment.run_dir(member)
    _refuse_other_run(run_dir, member, config.flat())
    record, why_not, seconds = _committed(experiment, member, config.flat(), steps)
    missing = () if record else _missing(experiment, member, steps)
    step, own_seconds = _progress(run_dir)
    return State(
        member, steps, step, record, why_not, missing, is_in_use(run_dir), own_seconds or seconds
    )


def _refuse_other_run(run_dir: pathlib.Path, member: Member, config: JsonObject) -> None:
    """Refuses a run of this name that is another one: it would get into a table unseen."""
    if not (run_dir / "config.json").is_file():
        return
    found = Run("there", "there", read_object(run_dir / "config.json"), [])
    differing = settings_that_differ(found, Run("planned", "planned", config, []), _OF_VERSIONS)
    if found.seed != member.seed:
        differing.append("the seed")
    if differing:
        raise UserError(
            f"{run_dir} holds a run of other settings ({', '.join(differing)}): move it away, or "
            "give another --out"
        )


def _missing(experiment: Experiment, member: Member, steps: int) -> tuple[Job, ...]:
    run_dir = experiment.run_dir(member)
    jobs = jobs_of(experiment, member)
    if not is_trained(run_dir, steps):
        return tuple(jobs)
    measured = evaluations_of(run_dir)
    return tuple(
        job
        for job in jobs
        if job.kind != "training"
        and find(measured, job.kind, radii_of(experiment, job.kind)) is None
    )


def radii_of(experiment: Experiment, kind: str) -> tuple[float, ...]:
    """The radii that an evaluation of a kind has to have."""
    return (experiment.scale.radius,) if kind == "train" else experiment.scale.radii


def is_trained(run_dir: pathlib.Path, steps: int) -> bool:
    """Whether a run has its last step, saved and measured."""
    if not (run_dir / "checkpoints" / f"step-{steps}.index").is_file():
        return False
    config = read_object(run_dir / "config.json")
    is_measured = config.get("final_evaluation.images", 0) > 0
    has_classes = config.get("ResNetDiscriminator.head", "class") == "class"
    evaluation = run_dir / "evaluations" / f"step_{steps:08d}.json"
    return evaluation.is_file() or not (is_measured and has_classes)


def is_in_use(run_dir: pathlib.Path) -> bool:
    """Whether a process trains in a directory."""
    if not (run_dir / "lock").exists():
        return False
    try:
        with filelock.FileLock(run_dir / "lock", timeout=0):
            return False
    except filelock.Timeout:
        return True


def _progress(run_dir: pathlib.Path) -> tuple[int, float | None]:
    """Steps that are recorded, and seconds that one of them took."""
    if not (run_dir / "metrics.jsonl").is_file():
        return 0, None
    records = [x for x in read_metrics(run_dir / "metrics.jsonl") if x["step"] > 0]
    if not records:
        return 0, None
    last = records[-1]
    seconds = last.get(SECONDS)
    return last["step"], seconds / last["step"] if seconds else None


def _committed(
    experiment: Experiment, member: Member, config: JsonObject, steps: int
) -> tuple[pathlib.Path | None, str, float | None]:
    """(record that counts, why one does not, seconds a step that it tells of)."""
    path = experiment.committed_path(member)
    if path is None or not path.is_file():
        return None, "", None
    found, records, seconds = read_run(path)
    if seconds is None and SECONDS in records[-1]:
        seconds = records[-1][SECONDS] / records[-1]["step"]
    differing = settings_that_differ(
        Run("recorded", "recorded", found, records),
        Run("planned", "planned", config, records),
        _OF_VERSIONS,
    )
    if differing:
        return None, f"the committed record differs in {', '.join(differing)}", seconds
    if records[-1]["step"] < steps:
        return None, f"the committed record ends at step {records[-1]['step']:,}", seconds
    evaluations = read_object(path).get("evaluations", {})
    lacking = [
        kind
        for kind in member.plan.evaluations
        if find(evaluations, kind, radii_of(experiment, kind)) is None
    ]
    if lacking:
        return None, f"the committed record lacks the evaluation {', '.join(lacking)}", seconds
    return path, "", seconds


def record_of(experiment: Experiment, state: State) -> pathlib.Path | None:
    """The record that stands for a run, made anew where the run is done; None if it is not.

    Args:
      experiment: of it.
      state: of the run.
    """
    if state.record is not None:
        return state.record
    if not state.is_done:
        return None
    path = experiment.record_path(state.member)
    run_dir = experiment.run_dir(state.member)
    return write_record(run_dir, path.parent)


def megabytes_of(run_dir: pathlib.Path) -> float:
    """What a directory takes on disk."""
    files = (x for x in run_dir.rglob("*") if x.is_file())
    return sum(x.stat().st_size for x in files) / 1e6
