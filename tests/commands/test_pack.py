"""The pack command as a user runs it, and every command on what it has packed."""

import pathlib
import shutil
import tarfile

import numpy as np
import pytest

import robgan_tf
from tests import in_process
from tests.eager import eagerly

TINY_RUN = pathlib.Path(__file__).parents[1] / "tiny_run"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copies of the tiny runs and their archives; unpacked ones go to a cache of their own."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name in ("joint", "tuned"):
            shutil.copytree(TINY_RUN / name, folder / name)
            done = pack(folder / name, folder / f"{name}.tar.gz")
            assert done.returncode == 0, done.stderr
        yield folder


def pack(run_dir, output, *arguments):
    return in_process.run("pack", f"--run_dir={run_dir}", f"--output={output}", *arguments)


def state(folder):
    """Every file below a folder and when it was last written, but Matplotlib's list of fonts.

    It is made by the first plot of a process, in the user's cache.
    """
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files if path.parent.name != "matplotlib"}


def test_what_is_in_it(folder):
    with tarfile.open(folder / "joint.tar.gz") as tar:
        names = tar.getnames()
        card = tar.extractfile("joint/README.md").read().decode()
    assert set(names) >= {
        f"joint/{name}"
        for name in (
            *("README.md", "config.gin", "config.json", "data.json", "metrics.jsonl"),
            *("checkpoints/checkpoint", "checkpoints/step-2000.index"),
            *("checkpoints/step-2000.data-00000-of-00001", "evaluations/step_00002000.json"),
        )
    }
    assert not any("lock" in name or "tensorboard" in name for name in names)
    for part in (
        "# joint\n",
        "step 2000, checkpoints",
        "digits: 1422 training",
        "16x16x1",
        "10 classes: 0, 1, 2",
        "radius 0.02 (2.55/255)",
        "| as it is | step 2000 | 0 | ",
        'robgan_tf.load_run("joint.tar.gz")',
        "- metrics.jsonl",
    ):
        assert part in card, part


def test_the_same_run_gives_the_same_bytes_and_nothing_is_replaced(folder, tmp_path):
    done = pack(folder / "joint", tmp_path / "again.tar.gz")
    assert "Packed     joint at step 2000" in done.stdout
    assert (tmp_path / "again.tar.gz").read_bytes() == (folder / "joint.tar.gz").read_bytes()
    again = pack(folder / "joint", tmp_path / "again.tar.gz")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "exists already and is kept" in again.stderr


def test_the_best_checkpoint_is_packed_unless_another_is_asked_for(folder, tmp_path):
    assert robgan_tf.load_run(folder / "tuned.tar.gz").step == 100
    assert robgan_tf.load_run(folder / "tuned.tar.gz", "last").step == 100  # the one it holds
    pack(folder / "tuned", tmp_path / "first.tar.gz", "--checkpoint=0")
    assert robgan_tf.load_run(tmp_path / "first.tar.gz").step == 0


@pytest.mark.usefixtures("eagerly")
def test_the_library_takes_it(folder):
    packed, stored = (robgan_tf.load_run(folder / name) for name in ("joint.tar.gz", "joint"))
    assert packed.identity == stored.identity
    assert packed.class_names == stored.class_names
    images, _ = packed.sample(5)
    np.testing.assert_array_equal(images, stored.sample(5)[0])
    np.testing.assert_array_equal(packed.classify(images), stored.classify(images))


def test_commands_read_it_and_write_elsewhere(folder, tmp_path):
    run, out = f"--run_dir={folder / 'joint.tar.gz'}", f"--output_dir={tmp_path}"
    robgan_tf.load_run(folder / "joint.tar.gz")  # Unpacks it.
    before = state(folder)
    robustness = ("--attack=fgsm", "--epsilons=0.02", "--images=20", "--nomasking")
    for command in (
        ("sample", "sheet", run, out, "--columns=2"),
        ("evaluate", "robustness", run, out, *robustness),
        ("evaluate", "quality", run, out, "--features=pixels", "--num_images=100"),
        ("sample", "neighbours", run, out, "--features=pixels", "--training_images=50"),
        ("export", run, f"--export_dir={tmp_path / 'exports'}", "--what=discriminator"),
        (
            "compare",
            f"--run={folder}/joint.tar.gz",
            f"--output_dir={tmp_path}/c",
            "--measure=speed",
        ),
    ):
        # What is exported, and attacks of an evaluation, are graphs.
        with eagerly(command[0] != "export" and command[1] != "robustness"):
            done = in_process.run(*command)
        assert done.returncode == 0, (command, done.stderr)
    assert (tmp_path / "sheet_step_00002000_seed_0.png").exists()
    assert (tmp_path / "robustness_fgsm_test_20_images_epsilon_0.02.json").exists()
    assert (tmp_path / "exports" / "discriminator" / "1" / "saved_model.pb").exists()
    assert state(folder) == before


def test_commands_that_would_write_into_it_ask_where_to(folder, tmp_path):
    run = f"--run_dir={folder / 'joint.tar.gz'}"
    for command, message in [
        (("sample", "sheet", run), r"nothing is written to: say where results go (--output_dir)"),
        (("evaluate", "robustness", run), "(--output_dir)"),
        (("evaluate", "quality", run, "--features=pixels"), "(--output_dir)"),
        (("evaluate", "gap", run), "is an archive, which holds one checkpoint"),
        (("train", "--gin_file=gin/quickstart.gin", run), "is a file; give a directory"),
        (("pack", "--run_dir="), "--run_dir=: there is nothing behind the ="),
        (("pack", f"--run_dir={folder / 'joint'}", "--output=x.zip"), "name ends in .tar.gz"),
    ]:
        done = in_process.run(*command)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), (command, done.stderr)
        assert message in done.stderr


def test_stage_2_starts_from_it(folder, tmp_path):
    done = in_process.run(
        "finetune", "--gin_file=gin/finetune/rob_gan.gin", "--gin_param=finetune.batch_size=8",
        f"--gan_run_dir={folder / 'joint.tar.gz'}", f"--run_dir={tmp_path / 'run'}", "--dry_run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "D of joint at step 2000" in done.stdout
