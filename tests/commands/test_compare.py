"""The compare command on made-up runs: its files, its table, and one line for bad input."""

import csv
import json
import math
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import in_process

FID = "fid/callable-x-y-asis/train10k-2k"
STEPS = range(50, 1050, 50)
ROOT = pathlib.Path(__file__).parents[2]


def make_run(path, *, slope, seconds, attack_steps=3, seed=0, extra=None, **config):
    """A run directory: FID every 100 steps falls from 200, `slope` a step."""
    (path / "samples").mkdir(parents=True)
    settings = {
        "train.seed": seed,
        "train.discriminator_updates": 2,
        "data.dataset": "digits",
        "data.num_classes": 10,
        "ProjectedGradientDescent.steps": attack_steps,
    }
    (path / "config.json").write_text(json.dumps(settings | config))
    lines = []
    for step in STEPS:
        record = {"step": step}
        if seconds is not None:
            record["time/training_seconds"] = seconds * step
        if step % 100 == 0:
            record |= {FID: 200.0 - slope * step, "gap/test_attacked": step / 2000, **(extra or {})}
        else:
            record["count/discriminator_updates"] = 2.0 * step
            record["loss_discriminator/total"] = 1.0
        lines.append(json.dumps(record) + "\n")
    (path / "metrics.jsonl").write_text("".join(lines))
    for number in (1, 2):
        level = 100 * number + seed
        Image.new("RGB", (160, 80), (level, level, level)).save(
            path / "samples" / f"step_{number * 500:08d}.png"
        )
    return path


def record(run_dir, output_dir, *arguments):
    return in_process.run(
        "record", f"--run_dir={run_dir}", f"--output_dir={output_dir}", *arguments
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "pgd_0", slope=0.2, seconds=0.2)
    # Seeds of one configuration, on however many replicas.
    replicas = {"replicas (in use)": [{"from_step": 1, "count": 2}]}
    make_run(folder / "pgd_1", slope=0.16, seconds=0.2, seed=1, **replicas)
    make_run(folder / "none", slope=0.15, seconds=0.05, attack_steps=0)
    make_run(folder / "old", slope=0.2, seconds=None, extra={"fid/other/train1k-1k": 3.0})
    return folder


@pytest.fixture
def run(tmp_path):
    """Runs the command in this process; returns status, standard output and error."""

    def run(*arguments, output_dir=tmp_path / "out"):
        ended = in_process.run("compare", f"--output_dir={output_dir}", *arguments)
        return ended.returncode, ended.stdout, ended.stderr

    return run


def test_seeds_ratio_and_share(runs, run, tmp_path):
    arguments = (
        *(f"--run=PGD-3={runs / 'pgd_0'}", f"--run=PGD-3={runs / 'pgd_1'}"),
        *(f"--run=none={runs / 'none'}", "--measure=fid", "--measure=gap/test_attacked"),
        *("--reach=100", "--reach=0.25"),
    )
    status, output, errors = run(*arguments)
    assert status == 0 and not errors
    folder = tmp_path / "out"
    assert (folder / "convergence.md").read_text().strip() in output
    # Steps to an FID of 100: 100 / slope = 500, 625 and 666.7.
    result = json.loads((folder / "convergence.json").read_text())
    fid, gap = result["measures"]
    assert [row["reach"]["step"] for row in fid["runs"]] == pytest.approx([500, 625, 2000 / 3])
    assert [row["run"] for row in fid["runs"]] == ["PGD-3, seed 0", "PGD-3, seed 1", "none"]
    pgd, plain = fid["configurations"]
    assert pgd["reach"]["step"] == pytest.approx(562.5)
    assert pgd["reach"]["discriminator_updates"] == pytest.approx(1125)
    assert plain["ratio"]["step"] == pytest.approx(2000 / 3 / 562.5)
    assert plain["ratio"]["seconds"] == pytest.approx(2000 / 3 * 0.05 / (562.5 * 0.2))
    assert [row["reach"]["step"] for row in gap["runs"]] == pytest.approx([500] * 3)
    # 0.2 and 0.05 s a step of 2 updates.
    (share,) = result["attack_shares"]
    assert share["share"] == pytest.approx(0.75) and share["milliseconds_with"] == 100.0
    assert "PGD-3 against none: **75.0%**" in output
    rows = list(csv.DictReader((folder / "convergence.csv").open()))
    assert len(rows) == 2 * 3 * 10
    last = [row for row in rows if row["measure"] == FID and row["run"] == "none"][-1]
    assert float(last["value"]) == pytest.approx(50) and float(last["seconds"]) == 50
    assert float(last["discriminator_updates"]) == 2000
    picture = Image.open(folder / "convergence.png")
    assert picture.width > 1000 and picture.height > 600
    # What it derives it may write again, of other runs too.
    status, output, _ = run(*arguments[:2], "--measure=fid")
    assert status == 0
    assert len(json.loads((folder / "convergence.json").read_text())["measures"]) == 1
    assert "worst of the runs' best values" in output


def test_records_are_read_as_the_runs_they_are_of(runs, run, tmp_path):
    for name in ("pgd_0", "none"):
        assert record(runs / name, tmp_path / name).returncode == 0
    read = {}
    for kind, paths in {
        "runs": (runs / "pgd_0", runs / "none"),
        "records": (tmp_path / "pgd_0" / "0.json", tmp_path / "none" / "0.json"),
    }.items():
        status, _, _ = run(
            *(f"--run=pgd={paths[0]}", f"--run={paths[1]}", "--measure=fid", "--sheets"),
            output_dir=tmp_path / kind,
        )
        assert status == 0
        read[kind] = json.loads((tmp_path / kind / "convergence.json").read_text())
    assert read["records"]["measures"][0]["configurations"][1]["configuration"] == "none/0"
    for value in (read["runs"], read["records"]):
        for row in value["measures"][0]["runs"] + value["measures"][0]["configurations"]:
            row.pop("run", None)
            row.pop("configuration")
    assert read["runs"]["measures"] == read["records"]["measures"]
    assert (tmp_path / "records" / "sheets.png").exists()


def test_a_record_may_have_the_seconds_of_undisturbed_steps(runs, run, tmp_path):
    for name, arguments in (("timed", []), ("retimed", ["--seconds_per_step=0.5"])):
        assert record(runs / "pgd_0", tmp_path / name, *arguments).returncode == 0
    timed, retimed = (
        json.loads((tmp_path / name / "0.json").read_text()) for name in ("timed", "retimed")
    )
    curves = retimed["curves"]
    assert curves["time/training_seconds"] == [0.5 * step for step in curves["step"]]
    assert retimed["seconds_per_step"] == 0.5
    seconds = timed["curves"].pop("time/training_seconds")
    assert seconds == pytest.approx([0.2 * step for step in curves["step"]])
    curves.pop("time/training_seconds")
    assert curves == timed["curves"]
    # Whoever reads the times learns where they come from.
    note = "Computed from a time of a step that was measured apart"
    status, output, _ = run(f"--run={tmp_path / 'retimed' / '0.json'}", "--measure=fid")
    assert status == 0 and f"{note}: retimed/0 0.5 s." in output
    status, output, _ = run(f"--run={tmp_path / 'timed' / '0.json'}", "--measure=fid")
    assert status == 0 and note not in output


def test_what_cannot_be_recorded_is_said(runs, tmp_path):
    empty = make_run(tmp_path / "empty", slope=0.1, seconds=None)
    (empty / "metrics.jsonl").write_text("")
    for arguments, message in (
        ([tmp_path / "none"], "none has no config.json: give the directory of a run"),
        ([empty], "empty has no metrics yet"),
        ([runs / "pgd_0", "--seconds_per_step=inf"], "give a number above 0"),
    ):
        run_dir, *more = arguments
        ended = record(run_dir, tmp_path / "out", *more)
        assert ended.returncode == 2 and message in ended.stderr
        assert not (tmp_path / "out").exists()


def test_runs_without_seconds_are_named(runs, run):
    status, output, _ = run(f"--run={runs / 'pgd_0'}", f"--run={runs / 'old'}", f"--measure={FID}")
    assert status == 0
    assert "| old | 0 | 0 | 1,000 | 1,000 | 2,000 | not recorded |" in output


def test_sheets_are_the_newest_side_by_side(runs, run, tmp_path):
    status, output, _ = run(f"--run={runs / 'pgd_0'}", f"--run={runs / 'pgd_1'}", "--sheets")
    assert status == 0 and "sheets.png" in output
    sheets = np.asarray(Image.open(tmp_path / "out" / "sheets.png"))
    assert (sheets[-80:, :160] == 200).all() and (sheets[-80:, -160:] == 201).all()
    assert not (tmp_path / "out" / "convergence.md").exists()


def test_a_path_may_have_an_equals_sign(runs, run, tmp_path):
    shutil.copytree(runs / "pgd_0", tmp_path / "seed=0")
    status, output, _ = run(f"--run={tmp_path / 'seed=0'}", "--measure=fid")
    assert status == 0 and "| seed=0 |" in output


def test_bad_input_is_one_line(runs, run, tmp_path):
    good, other = f"--run={runs / 'pgd_0'}", f"--run={runs / 'none'}"
    (tmp_path / "text.json").write_text("no JSON")
    (tmp_path / "file").write_text("")
    uneven = {"config": {}, "last_step": 2, "curves": {"step": [1, 2], "fid/x": [1.0]}}
    (tmp_path / "uneven.json").write_text(json.dumps(uneven))
    smoothed = {"config": {}, "label": "a", "curves": {"step": [1], "fid/x": [1.0]}}
    (tmp_path / "smoothed.json").write_text(json.dumps(smoothed))
    broken = make_run(tmp_path / "broken", slope=0.1, seconds=None)
    (broken / "metrics.jsonl").write_text("no metrics\n")
    empty = make_run(tmp_path / "empty", slope=0.1, seconds=None)
    (empty / "metrics.jsonl").write_text("")
    cats = make_run(tmp_path / "cats", slope=0.1, seconds=None, **{"data.dataset": "cats"})
    shutil.rmtree(cats / "samples")
    damaged = make_run(tmp_path / "damaged", slope=0.1, seconds=None)
    (damaged / "config.json").write_text('{"train.seed"')
    texts = make_run(tmp_path / "texts", slope=0.1, seconds=None, extra={"fid/x": "low"})
    nulls = make_run(tmp_path / "nulls", slope=0.1, seconds=None)
    (nulls / "metrics.jsonl").write_text('{"step": 1, "fid/x": null}\n')
    nans = make_run(tmp_path / "nans", slope=0.1, seconds=None, extra={FID: math.nan})
    network = {"--features": "net (a.py 01234)"}
    trained = make_run(tmp_path / "trained", slope=0.1, seconds=None, **network)
    no_picture = make_run(tmp_path / "no_picture", slope=0.1, seconds=None)
    (no_picture / "samples" / "step_00001000.png").write_bytes(b"half")
    neither = "neither a run directory (config.json, metrics.jsonl) nor a record"
    cases = [
        (["--measure=fid"], "give --run, repeatedly, and --output_dir"),
        ([good, "--measure=fid", "--output_dir="], "--output_dir=: there is nothing behind the ="),
        ([good], "give --measure, of fid, gap, loss_discriminator, or --sheets"),
        ([good, "--measure=fib"], "no run has such a measure; there are fid, gap, loss_disc"),
        ([f"--run={tmp_path / 'nope'}", "--measure=fid"], neither),
        ([f"--run=name={tmp_path / 'nope'}", "--measure=fid"], f"{tmp_path / 'nope'} is neither"),
        ([f"--run={runs}", "--measure=fid"], neither),
        ([f"--run={tmp_path / 'text.json'}", "--measure=fid"], neither),
        ([f"--run={tmp_path / 'uneven.json'}", "--measure=fid"], neither),
        ([f"--run={tmp_path / 'smoothed.json'}", "--measure=fid"], neither),
        (["--run=name=", "--measure=fid"], "--run=name=: give a path or NAME=PATH"),
        ([f"--run={broken}", "--measure=fid"], "metrics.jsonl, line 1: not a metrics line"),
        ([f"--run={empty}", "--measure=fid"], "has no metrics yet"),
        ([f"--run={damaged}", "--measure=fid"], "config.json holds no settings; is it damaged?"),
        ([f"--run={texts}", "--measure=fid"], "has 'low' for fid/x at step 100, and finite numb"),
        ([f"--run={nulls}", "--measure=fid"], "has None for fid/x at step 1, and finite numbers"),
        ([f"--run={nans}", "--measure=fid"], f"has nan for {FID} at step 100, and finite"),
        (
            [good, f"--run={cats}", "--measure=fid"],
            "of pgd_0 and of cats are of different images (they differ in data.dataset) and",
        ),
        (
            [good, f"--run={trained}", "--measure=fid"],
            "of pgd_0 and of trained are by different networks of one name, None and net (a.py",
        ),
        ([f"--run={no_picture}", "--sheets"], "step_00001000.png cannot be read"),
        ([good, good, "--measure=fid"], "is given twice"),
        ([good, "--measure=fid", f"--measure={FID}"], "the same measure is given twice"),
        (
            [f"--run={runs / 'old'}", good, "--measure=fid"],
            f"cannot be compared: choose one of {FID}, fid/other/train1k-1k",
        ),
        (
            [f"--run={runs / 'old'}", good, "--measure=fid/other"],
            "fid/other/train1k-1k was not measured in pgd_0",
        ),
        ([good, "--measure=fid", "--reach=low"], "--reach=low: not a number"),
        ([good, "--measure=fid", "--reach=nan"], "--reach=nan: not a number"),
        ([good, "--measure=fid", "--reach=1", "--reach=2"], "one score for each --measure, 1, not"),
        (
            [f"--run=a={runs / 'pgd_0'}", f"--run=a={runs / 'none'}", "--measure=fid"],
            "called a are not seeds of one configuration, they differ in ProjectedGradientDescent",
        ),
        ([good, f"--output_dir={tmp_path / 'file' / 'x'}", "--measure=fid"], "cannot be used"),
        ([good, f"--run={cats}", "--sheets"], "different data"),
        ([f"--run={cats}", "--sheets"], "has none (samples/step_*.png"),
        ([good, other, "--measure=fid", "surplus"], "unexpected argument 'surplus'"),
    ]
    for arguments, message in cases:
        status, _, errors = run(*arguments)
        assert status == 2, (arguments, errors)
        assert errors.startswith("error: ") and errors.count("\n") == 1, errors
        assert message in errors, (arguments, errors)
    assert not (tmp_path / "out").exists()


def test_a_comparison_does_not_wait_for_tensorflow():
    code = (
        "import sys\n"
        "from robgan_tf import compare\n"
        "assert compare.main(['--run=nowhere', '--measure=fid', '--output_dir=x']) == 2\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
