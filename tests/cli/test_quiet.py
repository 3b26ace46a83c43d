"""TensorFlow's notes are held back while it loads; whatever else is written there passes."""

import subprocess
import sys

import pytest

from tests.in_process import ROOT

NOTES = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n"
    "I0000 00:00:1795848143.014743   12266 port.cc:153] oneDNN custom operations are on.\\n"
    "W0000 00:00:1795848143.014743   12266 computation_placer.cc:177] already registered\\n"
    "E0000 00:00:1795848143.014743   12266 cuda_dnn.cc:8310] Unable to register cuDNN factory\\n"
)
PROGRAM = """
import os, sys
from robgan_tf.cli.quiet import tensorflow_loading
print("before", file=sys.stderr)
with tensorflow_loading():
    os.write(2, b"{notes}")
    os.write(2, b"F0000 no such processor\\n")
    {end}
os.write(2, b"I0000 after\\n")
"""


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("pass", 0, "I0000 after\n"),
        ("raise ImportError('no library')", 1, "ImportError: no library\n"),
        ("os._exit(9)", 9, "F0000 no such processor\n"),
    ],
    ids=["loaded", "refused", "ended"],
)
def test_notes_are_held_back_and_errors_are_not(end, status, last):
    program = PROGRAM.format(notes=NOTES, end=end)
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == status
    assert ended.stderr.startswith("before\nF0000 no such processor\n")
    assert ended.stderr.endswith(last)
    assert "oneDNN" not in ended.stderr and "computation_placer" not in ended.stderr
    assert "WARNING: All log" not in ended.stderr and "cuDNN" not in ended.stderr


def test_they_are_shown_where_that_is_asked(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(notes=NOTES, end="pass")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert "oneDNN" in ended.stderr


def test_an_extension_may_be_the_first_to_load_it(tmp_path):
    extension = tmp_path / "mine.py"
    extension.write_text(
        "import os\n"
        "import robgan_tf\n"
        "from robgan_tf.quality.measure import Measure\n"
        f'os.write(2, b"{NOTES}")\n'
        '@robgan_tf.register("quality/measures", "mine")\n'
        "class Mine(Measure):\n"
        "    numbers = {}\n"
        "    def compute(self, compared):\n"
        "        return {}\n"
    )
    program = (
        "from robgan_tf.cli.flags import load_extensions\n"
        "from robgan_tf.cli.parser import Values\n"
        f"print(len(load_extensions(Values(extension=[{str(extension)!r}]))))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.stdout.endswith("\n1\n")
    assert ended.stderr == ""
