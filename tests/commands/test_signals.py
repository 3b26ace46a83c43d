"""A signal during every command: its status, its one line, nothing half-written, and going on."""

import pathlib
import shutil
import signal

import pytest

from tests import in_process
from tests.eager import eagerly
from tests.signals import signal_at

RENAME, REPLACE, LINK = "os.rename", "os.replace", "os.link"


def files(folder):
    """What there is, without empty directories and locks."""
    found = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if path.name != "lock"}


# Command, where it is when the signal arrives, what is there afterwards, and what it says.
FILES_WHOLE = "every file there is whole; the same command makes what is missing"
CASES = {
    "robustness": (
        "evaluate robustness --run_dir={run} --images=10 --nomasking --epsilons=0.1 --attack=fgsm "
        "--output_dir={out}",
        (REPLACE, 3),
        "finished parts are kept; the same command continues",
    ),
    "gap": ("evaluate gap --run_dir={run} --images=1", (REPLACE, 1), FILES_WHOLE),
    "quality": (
        "evaluate quality --run_dir={run} --features=pixels --num_images=50 --output_dir={out}",
        (REPLACE, 1),
        FILES_WHOLE,
    ),
    "sheet": ("sample sheet --run_dir={run} --output_dir={out}", (REPLACE, 1), FILES_WHOLE),
    "images": (
        "sample images --run_dir={run} --num_images=12 --output_dir={out}",
        (REPLACE, 5),
        FILES_WHOLE,
    ),
    "npz": (
        "sample images --run_dir={run} --num_images=12 --format=npz --output_dir={out}",
        (REPLACE, 1),
        FILES_WHOLE,
    ),
    "export": (
        "export --run_dir={run} --export_dir={out} --what=generator",
        (RENAME, 1),
        "every version there is whole; --what=LIST exports the parts that are missing",
    ),
    "pack": ("pack --run_dir={run} --output={out}/run.tar.gz", (LINK, 1), FILES_WHOLE),
    "record": ("record --run_dir={run} --output_dir={out}", (REPLACE, 2), FILES_WHOLE),
    "compare": (
        "compare --run={run} --measure=loss_discriminator/total --output_dir={out}",
        (REPLACE, 2),
        FILES_WHOLE,
    ),
    "serve_check": (
        "serve_check --export_dir={out} --rest=localhost:1",
        ("robgan_tf.serving.check.exported_models", 1),
        FILES_WHOLE,
    ),
}


# Its second call is one that goes on where the first was.
CONTINUED = ("robustness", "images", "npz")


@pytest.mark.parametrize("name", CASES)
def test_a_command_ends_by_its_line_and_the_same_goes_on(name, trained, tmp_path):
    line, (function, call), kept = CASES[name]
    run = shutil.copytree(trained, tmp_path / "run")
    number = signal.SIGTERM if len(name) % 2 else signal.SIGINT

    def go(out):
        return in_process.run_any(*line.format(run=run, out=tmp_path / out).split())

    # Attacks of an evaluation are given arrays, which only compiled ones take.
    with eagerly(name != "robustness"):
        with signal_at(function, call, number):
            process = go("stopped")
        assert process.returncode == 128 + number, process.stderr
        assert process.stderr == f"stopped by {number.name}: {kept}\n"
        before = files(tmp_path)
        # What is written aside is gone, and nothing else is begun.
        assert not [path for path in before if pathlib.Path(path).name.startswith(".")]
        if name not in CONTINUED:
            return
        for out in ("stopped", "straight"):
            assert go(out).returncode == 0
    assert files(tmp_path / "stopped") == files(tmp_path / "straight")
    for path in files(tmp_path / "stopped"):
        if path.endswith((".png", ".csv")):
            stopped, straight = ((tmp_path / out / path) for out in ("stopped", "straight"))
            assert stopped.read_bytes() == straight.read_bytes()
