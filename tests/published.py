"""The published networks' numbers (tests/goldens) and how their names and axes map to ours."""

import functools
import json
import pathlib
import re

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "goldens"
LAYOUT = json.loads((FOLDER / "layout.json").read_text())
# gamma_ is 1 and beta_ is 0 for ever; the other counts batches.
WITHOUT_COUNTERPART = ("num_batches_tracked", "gamma_", "beta_")
LAYERS = {
    "discriminator": {"l5": "source_head", "l6": "source_head", "l7": "source_head"},
    "generator": {"l1": "dense", "l6": "to_image", "l7": "to_image"},
    "both": {
        "l_y": "class_head",
        "linear": "class_head",
        "discriminate": "source_head",
        "conv1": "stem",
        "b6": "normalization",
        "b7": "normalization",
    },
}
IN_A_BLOCK = {
    "c1": "convolution_1",
    "c2": "convolution_2",
    "c_sc": "shortcut",
    "conv1": "convolution_1",
    "conv2": "convolution_2",
    "shortcut.0": "shortcut",
    "b1": "normalization_1",
    "b2": "normalization_2",
    "b_sc": "shortcut_normalization",
}
OF_NORMALIZATION = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "avg_mean": "moving_mean",
    "avg_var": "moving_variance",
    "gammas.weight": "gamma",
    "betas.weight": "beta",
}
OF_KERNEL = {"weight": "kernel", "bias": "bias"}
SMALLEST = 4  # side of what G's dense layer makes


@functools.cache
def golden(case):
    """{key: array} of a file of tests/goldens."""
    with np.load(FOLDER / f"{case}.npz") as stored:
        return dict(stored)


def wave(*shape, phase=0.0):
    """What images [N, C, H, W] and latents [N, Z] are made of, in PyTorch's axes."""
    index = np.arange(np.prod(shape), dtype=np.float64)
    return np.sin(0.37 * index + 0.013 * (index % 97) ** 2 + phase).reshape(shape)


def projection_weights(shape, phase):
    """What outputs in PyTorch's axes are multiplied by, to make of them one number."""
    return np.sin(0.9 * np.arange(np.prod(shape)) + phase).reshape(shape)


def channels_last(images):
    """[N, C, H, W] to [N, H, W, C]."""
    return np.transpose(images, [0, 2, 3, 1])


def channels_first(images):
    """[N, H, W, C] to [N, C, H, W]."""
    return np.transpose(images, [0, 3, 1, 2])


class Published:
    """A network here that holds the weights of a published one.

    Args:
      model: a built network.
      case: of the layout.
      kind: "discriminator" or "generator".
    """

    def __init__(self, model, case, kind):
        self.model = model
        self._kind = kind
        self.shapes = {
            name: tuple(shape)
            for name, shape in LAYOUT[case]
            if not name.endswith(WITHOUT_COUNTERPART)
        }
        for position, (name, shape) in enumerate(LAYOUT[case]):
            if name in self.shapes:
                self.variable(name).assign(self.to_ours(name, _initial(name, shape, position)))

    def variable(self, name):
        """The variable that a name of the layout stands for."""
        owner, layer, attribute = self._place(name)
        names = OF_NORMALIZATION if "normalization" in layer else OF_KERNEL
        return getattr(getattr(owner, layer), names[attribute])

    def to_ours(self, name, values):
        """From PyTorch's axes to those of the variable."""
        if self._is_first_dense(name):
            values = values.reshape(-1, SMALLEST, SMALLEST, *values.shape[1:])
            values = np.moveaxis(values, 0, 2)
            values = values.reshape(-1, *values.shape[3:])
        if values.ndim == 4:
            return np.transpose(values, [2, 3, 1, 0])
        return values.T if self._is_matrix(name) else values

    def to_theirs(self, name, values):
        """From the axes of the variable to PyTorch's."""
        values = np.asarray(values)
        if values.ndim == 4:
            return np.transpose(values, [3, 2, 0, 1])
        if self._is_matrix(name):
            values = values.T
        if self._is_first_dense(name):
            values = values.reshape(SMALLEST, SMALLEST, -1, *values.shape[1:])
            values = np.moveaxis(values, 2, 0)
            values = values.reshape(-1, *values.shape[3:])
        return values

    def _place(self, name):
        if found := re.match(r"layer(\d)\.(\d)\.(conv1|conv2|shortcut\.0)\.(\w+)$", name):
            stage, number, layer, attribute = found.groups()
            block = getattr(self.model, f"block_{stage}_{int(number) + 1}")
            return block, IN_A_BLOCK[layer], attribute
        if found := re.match(r"block(\d)\.(\w+?)\.(.*)$", name):
            number, layer, attribute = found.groups()
            # Their G counts its dense layer.
            number = int(number) - (self._kind == "generator")
            return getattr(self.model, f"block_{number}"), IN_A_BLOCK[layer], attribute
        layer, attribute = name.split(".")
        names = {**LAYERS["both"], **LAYERS[self._kind]}
        return self.model, names[layer], attribute

    def _is_first_dense(self, name):
        return self._kind == "generator" and name.startswith("l1.")

    def _is_matrix(self, name):
        return len(self.shapes[name]) == 2 and not name.endswith(("gammas.weight", "betas.weight"))


def largest_difference(stored, key, found, absolute=False):
    """How far an array is from the stored one, as a share of its largest entry.

    Args:
      stored: of `golden`.
      key: of the array, or of its samples and sums.
      found: in PyTorch's axes.
      absolute: not as a share.
    """
    found = np.asarray(found, np.float64)
    if key in stored:
        return _apart(stored[key], found, 1.0 if absolute else np.abs(stored[key]).max())
    flat = found.ravel()
    index = np.arange(flat.size)
    sums = [flat.sum(), np.abs(flat).sum(), flat @ np.sin(0.3 * index), flat @ np.cos(0.3 * index)]
    expected = stored[f"{key}.samples"]
    stride = int(stored[f"{key}.stride"])
    return max(
        _apart(expected, flat[::stride], 1.0 if absolute else np.abs(expected).max()),
        _apart(stored[f"{key}.sums"], sums, 1.0 if absolute else stored[f"{key}.sums"][1]),
    )


def _apart(expected, found, scale):
    return float(np.abs(np.asarray(found) - expected).max() / scale)


def _initial(name, shape, position):
    index = np.arange(np.prod(shape, dtype=int), dtype=np.float64)
    values = np.sin(0.7 * index + 1.3 * position).reshape(shape)
    if name.endswith(("running_mean", "avg_mean", ".bias", "betas.weight")):
        return 0.1 * values
    of_normalization = re.search(r"(^|\.)(b1|b2|b_sc|b6|b7)\.weight$", name)
    if of_normalization or name.endswith(("running_var", "avg_var", "gammas.weight")):
        return 1.0 + 0.1 * values
    return values / np.sqrt(np.prod(shape[1:]))
