"""`reproduce` with fake runs, as a process that can be killed: driver.py OUT SECONDS JOBS."""

import sys
from unittest import mock

from robgan_tf.reproduction.jobs import Job
from robgan_tf.reproduction.run import reproduce
from tests.reproduction.fake_run import experiment_in

# Three runs, of which one starts from another, and seven evaluations.
ITEMS = ("figure_6",)


def main(out, seconds, slots):
    """Reproduces; returns what went wrong."""

    def process(job):
        return [sys.executable, "-m", "tests.reproduction.fake_run", out, seconds, job.name]

    with mock.patch.object(Job, "process", property(process)):
        experiment = experiment_in(out, items=ITEMS)
        _, wrong = reproduce(experiment, int(slots), lambda line: print(line, flush=True))
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
