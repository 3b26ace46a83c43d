"""The reproduce command: its plan, a report of committed records alone, bad input in one line."""

import pathlib
import subprocess
import sys

import pytest

from tests import in_process

ROOT = pathlib.Path(__file__).parents[2]


def reproduce(*arguments):
    return in_process.run("reproduce", *arguments)


def test_the_plan_runs_nothing(tmp_path):
    done = reproduce("--table=1", "--scale=smoke", f"--out={tmp_path / 'x'}", "--plan")
    assert done.returncode == 0, done.stderr
    assert "| rob_gan_0 | Rob-GAN with fine-tuning | 60 | missing |" in done.stdout
    (command,) = [x for x in done.stdout.splitlines() if "gin/finetune/rob_gan.gin" in x]
    assert command == (
        "robgan-tf finetune --gin_file=gin/finetune/rob_gan.gin "
        "--gin_file=gin/finetune/quickstart.gin --gin_file=gin/experiments/smoke_classifier.gin "
        "--gin_param=finetune.steps=60 '--gin_param=classifier_optimizer.drop_at=(40,50)' "
        f"--gin_param=finetune.seed=0 --gan_run_dir={tmp_path}/x/runs/gan_0 "
        f"--run_dir={tmp_path}/x/runs/rob_gan_0"
    )
    assert not (tmp_path / "x").exists()


def test_the_hours_of_the_small_scale(tmp_path):
    items = ("--table=1", *(f"--figure={x}" for x in (2, 6, 7, 8)))
    done = reproduce(*items, f"--out={tmp_path}", "--plan")
    (total,) = [x for x in done.stdout.splitlines() if x.startswith("In all ")]
    hours, minutes, _ = map(int, total.split()[2].split(":"))
    assert hours + minutes / 60.0 <= 8.0
    # Figure 8 is committed, two seeds of each configuration.
    assert done.stdout.count("| recorded | - |") >= 10


def test_committed_records_are_enough_for_a_report(tmp_path):
    done = reproduce("--figure=8", f"--out={tmp_path}")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.md").read_text()
    for part in (
        "(d) The split loss makes better images than the AC-GAN loss | supported |",
        "(e) The attack makes the generator converge faster | undecided at this scale |",
        "| SN-GAN, seed 1 | 53.89 |",
        "convergence/sn_gan/1.json",
        "report_pictures/figure_8_seconds.png",
        "robgan-tf reproduce --figure=8 --dataset=cifar10 --scale=paper --out=DIR --plan",
    ):
        assert part in text, part
    assert not (tmp_path / "runs").exists()
    assert (
        "10 of 10 runs are done, 0 processes run"
        in reproduce("--figure=8", f"--out={tmp_path}", "--status").stdout
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--table=1",), "reproduce what, and where to? give --table or --figure, and --out"),
        (("--out=x",), "reproduce what, and where to?"),
        (("--table=2", "--out=x"), "--table=2"),
        (("--figure=3", "--out=x"), "--figure=3"),
        (
            ("--table=1", "--dataset=digits", "--out=x"),
            "there is no --dataset=digits at --scale=small; there are --dataset=cifar10 --scale=",
        ),
        (
            ("--figure=8", "--dataset=imagenet143", "--scale=paper", "--out=x"),
            "has no run for figure 8",
        ),
        (("--figure=8", "--out=/proc/x"), "--out=/proc/x/jobs cannot be used"),
        (("--table=1", "--jobs=0", "--out=x"), "--jobs=0"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    ended = reproduce(*arguments)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert message in ended.stderr


def test_a_plan_and_a_report_do_not_wait_for_tensorflow(tmp_path):
    code = (
        "import sys\n"
        "from robgan_tf import reproduce, report\n"
        f"assert reproduce.main(['--figure=8', '--out={tmp_path}']) == 0\n"
        "assert report.main(['--run_dir=docs/results/table1_5000/gan/0.json', "
        f"'--output_dir={tmp_path}']) == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
