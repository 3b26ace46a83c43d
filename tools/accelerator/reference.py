"""The first losses of training as a CPU computes them, and how near another machine must come."""

import json
import math
import pathlib

from robgan_tf.errors import UserError

STEPS = 3
# Of |difference| / max(1, |reference|), for the first, second and third step. A step is five D
# updates and one of G, each at Adam's full rate: rounding grows fast, and so do the tolerances.
TOLERANCES = {
    "float32": (2e-3, 1e-2, 5e-2),
    "tf32": (1e-2, 5e-2, 1e-1),
    "bfloat16": (5e-2, 1e-1, 2e-1),
}


def write(path: str | pathlib.Path, identity: dict, losses: list[dict], machine: dict) -> None:
    """Writes a reference file.

    Args:
      path: of it.
      identity: what another run must share for its losses to be comparable.
      losses: of each step, by name.
      machine: what computed them.
    """
    content = {"identity": identity, "machine": machine, "losses": losses}
    pathlib.Path(path).write_text(json.dumps(content, indent=1) + "\n")


def read(path: str | pathlib.Path, identity: dict) -> list[dict]:
    """Reads the losses of a reference file.

    Raises:
      UserError: if it cannot be read or is of another run.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"--reference={path} cannot be read: {error}") from error
    if content["identity"] != identity:
        raise UserError(f"--reference={path} is of {content['identity']}, not of {identity}")
    return content["losses"]


def compare(reference: list[dict], losses: list[dict], precision: str) -> dict:
    """Compares losses with those of the reference.

    Args:
      reference: a dict from name to value for each step.
      losses: likewise.
      precision: key of `TOLERANCES`.

    Returns:
      Dict: the largest difference of each step, the tolerances, and whether all are within.
    """
    differences = []
    for expected, found in zip(reference, losses, strict=True):
        errors = [
            abs(found[name] - value) / max(1.0, abs(value)) for name, value in expected.items()
        ]
        # NaN, which is not within any tolerance, would be lost in a maximum.
        differences.append(next((error for error in errors if math.isnan(error)), max(errors)))
    tolerances = TOLERANCES[precision]
    return {
        "largest_differences": differences,
        "tolerances": list(tolerances),
        "within": all(
            difference <= limit for difference, limit in zip(differences, tolerances, strict=True)
        ),
    }
