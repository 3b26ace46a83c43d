"""An infinite value on one of two replicas: step, replica, player and tensor are named."""

import subprocess
import sys

from tests.in_process import ROOT

ON_REPLICA_1 = "step 3, replica 1 (CPU:1): "
EXPECTED = {
    "D": "discriminator update 1: loss on generated images is not finite",
    "G": "generator update: loss is not finite",
    "attack": "attack in discriminator update 1: gradient of the images is not finite",
    # The second replay is of images that it has moved.
    "free attack": "attack in discriminator update 1: gradient of the images is not finite (and ",
    "attack on the classifier": "attack: gradient of the images is not finite",
    "free attack on the classifier": "replay 1: attack: gradient of the images is not finite (and ",
}


def test_infinite_values_on_one_replica_name_it_and_the_player():
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.non_finite_on_one_replica"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    found = dict(line.split(": ", 1) for line in process.stdout.splitlines())
    assert found.keys() == EXPECTED.keys()
    for name, line in EXPECTED.items():
        assert found[name].startswith(ON_REPLICA_1 + line), name
        assert found[name] == ON_REPLICA_1 + line or line.endswith("(and ")
