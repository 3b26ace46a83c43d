"""What training, evaluation and an exported model in the C++ loader make of image files."""

import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from robgan_tf.data import evaluation_batches, training_batches
from robgan_tf.data.datasets.image_folder import FolderSource
from robgan_tf.errors import UserError
from robgan_tf.serving.classifier_signatures import classifier_signatures

ROOT = pathlib.Path(__file__).parents[2]
_SIGNATURE = "classify_bytes"

# Run without TensorFlow's Python: every file of a folder by itself, what is refused as it is said.
_IN_C = """
import pathlib, sys
import numpy as np
from tools.serving_c.c_loader import LoadedModel, TensorFlowError

with LoadedModel(sys.argv[1]) as model:
    for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
        encoded = np.array([path.read_bytes()], object)
        try:
            np.save(f"{sys.argv[3]}/{path.name}.npy", model.run(
                "classify_bytes", {"image_bytes": encoded})["logits"])
        except TensorFlowError as error:
            pathlib.Path(f"{sys.argv[3]}/{path.name}.txt").write_text(f"{error.code}")
assert "tensorflow" not in sys.modules
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """One file as the readers see it: uint8 [side, side, C], or None where it is refused.

    Attributes:
      training: the batches of training, without augmentation and noise.
      evaluation: the batches of evaluation.
      server: what the network of an exported classifier gets of `classify_bytes`.
    """

    training: np.ndarray | None
    evaluation: np.ndarray | None
    server: np.ndarray | None

    @property
    def readers(self) -> tuple[np.ndarray | None, ...]:
        """What each of them sees."""
        return self.training, self.evaluation, self.server

    @property
    def agrees(self) -> bool:
        """Whether all see the same pixels, or all refuse the file."""
        if any(pixels is None for pixels in self.readers):
            return all(pixels is None for pixels in self.readers)
        return not any(self.differences())

    def differences(self) -> tuple[int, int]:
        """Largest differences to training: of evaluation, and of the server."""
        assert self.training is not None
        of_training = self.training.astype(int)
        differences = [
            int(np.abs(pixels - of_training).max()) if pixels is not None else 255
            for pixels in self.readers[1:]
        ]
        return differences[0], differences[1]


def compare_readers(
    files: Mapping[str, bytes], side: int, channels: int, folder: pathlib.Path
) -> dict[str, Seen]:
    """Reads files in three ways.

    Args:
      files: their contents by name.
      side: of the squares that they are brought to.
      channels: 1 or 3.
      folder: an empty one, which is written to.

    Returns:
      Dict from name to Seen.
    """
    (folder / "files").mkdir(parents=True)
    # One ending for all: what a file is, its content says.
    paths = {name: folder / "files" / f"{place:03d}.png" for place, name in enumerate(files)}
    for name, path in paths.items():
        path.write_bytes(files[name])
    evaluated = {name: _evaluated(path, side, channels) for name, path in paths.items()}
    trained_on = _trained_on(paths, side, channels)
    served = _served([*paths.values()], side, channels, folder)
    return {
        name: Seen(trained_on.get(name), evaluated[name], served[path.name])
        for name, path in paths.items()
    }


def _evaluated(path: pathlib.Path, side: int, channels: int) -> np.ndarray | None:
    try:
        ((images, _),) = evaluation_batches(_source([path], side, channels), 1)
    except UserError:
        return None
    return _levels(images[0])


def _trained_on(
    paths: Mapping[str, pathlib.Path], side: int, channels: int
) -> dict[str, np.ndarray]:
    """Every file that training does not refuse at its start, in one batch of it, by name."""
    names = [name for name, path in paths.items() if _is_taken(path, side, channels)]
    source = _source([paths[name] for name in names], side, channels)
    batches = training_batches(
        source, batch_size=len(names), updates_per_step=1, seed=0, dequantize=False
    )
    batch = next(iter(batches))
    pairs = zip(batch["labels"][0].numpy(), batch["images"][0], strict=True)
    return {names[label]: _levels(image) for label, image in pairs}


def _is_taken(path: pathlib.Path, side: int, channels: int) -> bool:
    try:
        _source([path], side, channels).check_every_class_is_readable()
    except UserError:
        return False
    return True


def _source(paths: Sequence[pathlib.Path], side: int, channels: int) -> FolderSource:
    """A class for each file, so that no other can take its place."""
    labels = range(len(paths))
    return FolderSource([*map(str, paths)], labels, [*map(str, labels)], side, channels)


def _served(
    paths: list[pathlib.Path], side: int, channels: int, folder: pathlib.Path
) -> dict[str, np.ndarray | None]:
    """What the network behind `classify_bytes` gets, by the name of the file."""
    module = tf.Module()
    names = [str(place) for place in range(side * side * channels)]
    signature = classifier_signatures(_Echo(side, channels), names, None)[_SIGNATURE]
    tf.saved_model.save(module, str(folder / "model"), signatures={_SIGNATURE: signature})
    (folder / "outputs").mkdir()
    command = [
        sys.executable,
        "-c",
        _IN_C,
        *(str(folder / x) for x in ("model", "files", "outputs")),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    found: dict[str, np.ndarray | None] = {}
    for path in paths:
        output = folder / "outputs" / f"{path.name}.npy"
        found[path.name] = None
        if output.exists():
            found[path.name] = _levels(np.load(output).reshape(side, side, channels))
    return found


class _Echo:
    """In place of a classifier: its class logits are the pixels that it is given."""

    def __init__(self, side: int, channels: int) -> None:
        self.resolution, self.channels = side, channels

    def __call__(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        del training
        logits = tf.reshape(images, [-1, self.resolution**2 * self.channels])
        return logits[:, 0], logits


def _levels(images: tf.Tensor | np.ndarray) -> np.ndarray:
    return np.round((np.asarray(images) + 1.0) * 127.5).astype(np.uint8)
