"""Stands in for `train`, `finetune` and `evaluate` of an experiment: the same files, in a second.

    python -m tests.reproduction.fake_run OUT SECONDS JOB

makes what the job of this name leaves in its run directory: a line of metrics after the other, with
pauses, going on where an earlier process was killed. Numbers are functions of the run's name.
"""

import json
import pathlib
import sys
import time
import zlib

import numpy as np
from PIL import Image

from robgan_tf.reproduction.experiment import open_experiment
from robgan_tf.reproduction.jobs import jobs_of

LINES = 10
FID = "fid/pixels-area8/train500-200"
ITEMS = ("table_1", "figure_2", "figure_6", "figure_7", "figure_8")
TEST_IMAGES = 200


def experiment_in(out, scale="smoke", records=None, items=ITEMS):
    """The smoke experiment, all of it, in a folder, without committed records."""
    dataset = "digits" if scale == "smoke" else "cifar10"
    records = records or pathlib.Path(out) / "no_records"
    return open_experiment(items, dataset, scale, pathlib.Path(out), records=records)


def main(out, seconds, name):
    """Makes what the job of a name leaves."""
    experiment = experiment_in(out)
    jobs = {job.name: job for x in experiment.members for job in jobs_of(experiment, x)}
    make(experiment, jobs[name], float(seconds) / LINES)


def make(experiment, job, pause):
    """Makes what a job leaves, with a pause before each line of metrics but the first two."""
    if job.kind == "training":
        train(experiment, job.member, pause)
    else:
        evaluate(experiment, job)


def train(experiment, member, pause):
    """Leaves what training leaves."""
    run_dir = experiment.run_dir(member)
    config = experiment.config_of(member).flat()
    steps = experiment.config_of(member).stage.steps
    (run_dir / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run_dir / "config.json").write_text(json.dumps(config))
    metrics = run_dir / "metrics.jsonl"
    done = metrics.read_text().count("\n") if metrics.exists() else 0
    for line in range(done, LINES):
        # From the second line on it is known to be at work: no test waits for that.
        time.sleep(pause if line >= 2 else 0.0)
        step = steps * (line + 1) // LINES
        with open(metrics, "a") as file:
            file.write(json.dumps(record(member.name, step, line, time.monotonic())) + "\n")
    (run_dir / "evaluations").mkdir(exist_ok=True)
    if member.name != "sn_gan":
        final = {"clean": 0.6, "attacked": 0.3, "images": 355, "epsilon": 0.08, "attack_steps": 20}
        (run_dir / "evaluations" / f"step_{steps:08d}.json").write_text(json.dumps(final))
    if member.plan.command == "train":
        (run_dir / "samples").mkdir(exist_ok=True)
        sheet = Image.new("RGB", (60, 40), tuple(shade(f"{member.name}{x}") for x in "rgb"))
        sheet.save(run_dir / "samples" / f"step_{steps:08d}.png")
    (run_dir / "checkpoints" / f"step-{steps}.index").write_text("")


def record(name, step, line, clock):
    """A line of metrics."""
    share = (line + 1) / LINES
    return {
        "step": step,
        "time/training_seconds": 1.0 + line + clock % 0.1,
        FID: 100.0 - 50.0 * share + shade(name) / 100.0,
        "gap/train_clean": 0.5 + share / 4,
        "gap/test_clean": 0.5,
        "gap/train_attacked": 0.3 + share / 4,
        "gap/test_attacked": 0.3,
        "gap/train_lipschitz": 0.5,
        "gap/test_lipschitz": 0.5 + share,
    }


def evaluate(experiment, job):
    """Leaves what an evaluation of accuracy under attack leaves."""
    split = "train" if job.kind == "train" else "test"
    images = experiment.scale.train_images if job.kind == "train" else TEST_IMAGES
    radii = [experiment.scale.radius] if job.kind == "train" else [*experiment.scale.radii]
    name = f"robustness_published_{split}" + "_best_20" * (job.kind == "best")
    name += f"_{images}_images_epsilon_0.04" * (job.kind == "train")
    folder = experiment.run_dir(job.member) / "evaluations"
    folder.mkdir(exist_ok=True)
    write_evaluation(folder / name, radii, images, job.name)


def write_evaluation(path, radii, images, seed_text, advantage=0.0):
    """Writes an evaluation and its samples; `advantage` is added to every accuracy."""
    random = np.random.default_rng(zlib.crc32(seed_text.encode()))
    strength = random.uniform(size=images)
    rows, columns = [], {}
    for radius in (0.0, *radii):
        withstood = strength < 0.8 - 5.0 * radius + advantage
        columns[radius] = ["" if x else "pgd-20" for x in withstood]
        low, high = withstood.mean() - 0.02, withstood.mean() + 0.02
        rows.append(
            {
                "epsilon": radius,
                "images": images,
                "accuracy": float(withstood.mean()),
                "interval_95": [low, high],
                "seconds": 1.0,
            }
        )
    content = {
        "source": "classifier",
        "attack": "published",
        "seed": 0,
        "images": f"All {images} images",
        "radii": rows,
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(content))
    names = [f"fooled_by_{radius:g}" for radius in columns]
    lines = [",".join(["index", "id", "label", "clean_prediction", *names])]
    for index in range(images):
        cells = [columns[radius][index] for radius in columns]
        lines.append(",".join([str(index), f"test_{index}", "0", "0", *cells]))
    path.with_name(f"{path.name}_samples.csv").write_text("\n".join(lines) + "\n")


def shade(text):
    """A number from 0 to 255 that is a function of a text."""
    return zlib.crc32(text.encode()) % 256


if __name__ == "__main__":
    main(*sys.argv[1:])
