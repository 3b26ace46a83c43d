"""Plans, runs and reports an experiment: the command's work."""

import pathlib
from collections.abc import Callable, Mapping

import filelock

from robgan_tf.comparison.results import output_folder
from robgan_tf.errors import UserError
from robgan_tf.pages.page import Written
from robgan_tf.reproduction.experiment import Experiment
from robgan_tf.reproduction.jobs import Job
from robgan_tf.reproduction.report import collect, write_report
from robgan_tf.reproduction.state import State, is_in_use, states
from robgan_tf.reproduction.tables import failed_checks
from robgan_tf.reproduction.work import Work, Workers, job_process

_JOBS = "jobs"


def reproduce(
    experiment: Experiment, slots: int, say: Callable[[str], object] = print
) -> tuple[Written, list[str]]:
    """Runs what is missing of an experiment, evaluates it and writes the report.

    Args:
      experiment: to be made.
      slots: how many processes at a time.
      say: prints a line.

    Returns:
      Where the report is, and what went wrong, a line each.

    Raises:
      UserError: if another call works on the same folder, or it cannot be used.
    """
    try:
        output_folder(experiment.out / _JOBS)
    except UserError as error:
        raise UserError(str(error).replace("--output_dir", "--out", 1)) from error
    folder = experiment.out
    lock = filelock.FileLock(folder / "lock", timeout=0)
    try:
        with lock:
            found = states(experiment)
            works = _works(experiment, found)
            workers = Workers(
                folder / _JOBS, slots, lambda job: is_in_use(experiment.run_dir(job.member)), say
            )
            workers.run(works)
            found = states(experiment)
            results = collect(experiment, found)
            written = write_report(results, found, workers.failed)
    except filelock.Timeout as error:
        raise UserError(
            f"--out={folder} is in use by another reproduce: wait for it (--status shows where it "
            "is), or give another folder"
        ) from error
    wrong = [f"{name} {how}" for name, how in workers.failed.items()]
    return written, [*wrong, *failed_checks(results)]


def _works(experiment: Experiment, found: Mapping[str, State]) -> list[Work]:
    """Every job that is missing, after those that it needs."""
    names = {job.name for state in found.values() for job in state.missing}
    works = []
    for state in found.values():
        gan = experiment.gan_of(state.member)
        for job in state.missing:
            before = {state.member.label} if job.kind != "training" else set()
            if job.kind == "training" and gan is not None:
                before = {gan.label}
            works.append(Work(job, tuple(before & names)))
    return works


def status(experiment: Experiment) -> str:
    """Which processes of an experiment run, and what each said last.

    Args:
      experiment: it.
    """
    lines = []
    found = states(experiment)
    for state in found.values():
        for job in state.missing:
            process = job_process(experiment.out / _JOBS, job)
            if process is not None:
                lines.append(f"{job.name}: process {process.pid}: {_last_line(experiment, job)}")
    done = sum(state.is_done for state in found.values())
    lines.append(f"{done} of {len(found)} runs are done, {len(lines)} processes run")
    return "\n".join(lines)


def _last_line(experiment: Experiment, job: Job) -> str:
    log: pathlib.Path = experiment.out / _JOBS / f"{job.name}.log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    return next((x.strip() for x in reversed(text.splitlines()) if x.strip()), "nothing yet")
