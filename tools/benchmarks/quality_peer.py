"""`evaluate quality` against torch-fidelity: whole commands, on the same images and features."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from robgan_tf.config.gin_files import read_group
from robgan_tf.config.groups import DataSettings
from robgan_tf.data import load_image_data
from robgan_tf.errors import UserError
from robgan_tf.typing import JsonObject
from tools.benchmarks.options import Options
from tools.benchmarks.timing import Variant, interleave, summarize
from tools.quality_peer.efficientnet_lite0 import STRIDES, EfficientNetLite0
from tools.quality_peer.folders import write_images

WORKER = pathlib.Path(__file__).parents[1] / "torch_fidelity_worker.py"
COUNT = 5000
# Ours and theirs. Of the others theirs draws subsets.
SAME_NUMBER = {
    "fid": "frechet_inception_distance",
    "precision": "precision",
    "recall": "recall",
}
LARGEST_DIFFERENCE = 1e-3
# Of the real images as a user's own, whose test images are not asked for.
DATA = """\
include {gin_file!r}
data.dataset = 'image_folder'
data.test_split = 'train'
data.validation_examples = 0
"""
EXTRACTOR = """\
from tools.quality_peer.efficientnet_lite0 import EfficientNetLite0

features = EfficientNetLite0({weights!r})
"""


class Commands:
    """Both commands on the same two folders of images.

    Args:
      folder: where images and results go.
      gin_file: of the data set.
      options: of the command line.

    Raises:
      UserError: if the options lack what is needed.
    """

    def __init__(self, folder: pathlib.Path, gin_file: str, options: Options) -> None:
        if not (options.pytorch_python and options.feature_weights and options.data_dir):
            raise UserError(
                "this case needs --pytorch_python, an environment with torch-fidelity, --data_dir "
                "and --feature_weights, the weights of EfficientNet-Lite0"
            )
        self._folder, self._python = folder, options.pytorch_python
        self._weights = str(pathlib.Path(options.feature_weights).resolve())
        settings = read_group(DataSettings, [gin_file])
        data = load_image_data(**settings.loading(options.data_dir))
        write_images(data.test.evenly_spaced(COUNT), folder / "generated")
        self._real = data.train.evenly_spaced(COUNT)
        write_images(self._real, folder / "real" / "train")
        (folder / "data.gin").write_text(DATA.format(gin_file=gin_file))
        (folder / "extractor.py").write_text(EXTRACTOR.format(weights=self._weights))
        self._calls = 0
        self.ours: JsonObject = {}
        self.theirs: JsonObject = {}

    def evaluate(self) -> float:
        """Our command; returns its seconds."""
        self._calls += 1
        # Of its own each time, so that features of real images are not found there.
        results = self._folder / f"results_{self._calls}"
        seconds, _ = self._run(
            [
                *(sys.executable, "-m", "robgan_tf.evaluate", "quality"),
                f"--generated={self._folder / 'generated'}",
                f"--gin_file={self._folder / 'data.gin'}",
                f"--data_dir={self._folder / 'real'}",
                f"--features={self._folder / 'extractor.py'}:features",
                f"--output_dir={results}",
                "--name=quality",
            ]
        )
        self.ours = json.loads((results / "quality.json").read_text())
        return seconds

    def torch_fidelity(self) -> float:
        """Their function in a process of its own; returns the seconds of the process."""
        seconds, output = self._run(
            [
                *(self._python, str(WORKER)),
                f"--generated={self._folder / 'generated'}",
                f"--real={self._folder / 'real' / 'train'}",
                f"--weights={self._weights}",
                f"--strides={','.join(map(str, STRIDES))}",
            ]
        )
        self.theirs = json.loads(output.splitlines()[-1])
        return seconds

    def features_alone(self) -> float:
        """The network on images in memory, as many as a command takes; returns the seconds."""
        network = EfficientNetLite0(self._weights)
        images = self._real.fetch(np.arange(COUNT))
        batches = [images[start : start + 50] for start in range(0, COUNT, 50)]
        network(batches[0])
        start = time.perf_counter()
        for batch in batches * 2:
            np.asarray(network(batch)[0])
        return time.perf_counter() - start

    def _run(self, command: Sequence[str]) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["without a message"])[-1]
            raise UserError(f"{command[0]} failed: {last}")
        return seconds, done.stdout


def measure(gin_file: str, options: Options) -> JsonObject:
    """Times whole commands in turns, and the network alone.

    Args:
      gin_file: of the data set.
      options: of the command line.

    Returns:
      Rows of the table, and both libraries' numbers.

    Raises:
      ValueError: if they are not the same where they are defined alike.
    """
    with tempfile.TemporaryDirectory() as folder:
        commands = Commands(pathlib.Path(folder), gin_file, options)
        variants = [
            Variant("torch-fidelity", commands.torch_fidelity, 2 * COUNT),
            Variant("evaluate quality", commands.evaluate, 2 * COUNT),
            Variant("our network alone", commands.features_alone, 2 * COUNT),
        ]
        seconds = interleave(variants, options.rounds)
    ours = {name.partition("/")[0]: value for name, value in commands.ours["values"].items()}
    theirs = commands.theirs.pop("values")
    differences = {kind: abs(ours[kind] / theirs[name] - 1.0) for kind, name in SAME_NUMBER.items()}
    # Written so that NaN is refused too.
    if not max(differences.values()) < LARGEST_DIFFERENCE:
        raise ValueError(f"the numbers differ by {differences}, relative: {ours}, {theirs}")
    rows = summarize(variants, seconds, {})
    whole, alone = rows[1]["seconds"], rows[2]["seconds"]
    return {
        "rows": rows,
        "all_seconds": seconds,
        "share_that_is_not_the_network": 1.0 - alone / whole,
        "relative_differences": differences,
        "ours": ours,
        "theirs": theirs,
        "torch_fidelity": commands.theirs,
    }
