"""An ONNX file as a classifier of numpy arrays, without a gradient; needs the extra `onnx`."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from robgan_tf.errors import UserError, first_line
from robgan_tf.typing import PathLike

# Of an image [H, W, C], the axes that a layout puts behind N.
_LAYOUTS = {"NHWC": (0, 1, 2), "NCHW": (2, 0, 1)}
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


class OnnxClassifier:
    """The logits of an ONNX file, computed by ONNX Runtime on the CPU.

    ONNX Runtime computes no gradients, so that only black-box attacks (the protocol square) can be
    made. Images are given as the file's input says, NCHW or NHWC.

    Args:
      path: of a file with one input, images, and one output, or one called logits.

    Raises:
      UserError: if ONNX Runtime is not installed, or the file is something else.
    """

    def __init__(self, path: PathLike) -> None:
        self.name = pathlib.Path(path).name
        session = _session(path)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1:
            raise UserError(
                f"model {path} takes {', '.join(x.name for x in inputs)}; one tensor of images is "
                "needed"
            )
        names = [output.name for output in outputs]
        if len(names) > 1 and "logits" not in names:
            raise UserError(
                f"model {path} gives {', '.join(names)}; one output, or one called logits, is "
                "needed"
            )
        if inputs[0].type not in _TYPES:
            raise UserError(f"model {path} takes images of {inputs[0].type}; floats are needed")
        self._session = session
        self._input, self._type = inputs[0].name, _TYPES[inputs[0].type]
        self._output = "logits" if "logits" in names else names[0]
        self._shape: Sequence[Any] = inputs[0].shape
        self._layout: str | None = None

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits, floats [N, K], of images, float32 [N, H, W, C]."""
        if self._layout is None:
            self._layout = self._choose_layout(images.shape[1:])
            print(f"  {self.name} takes images as {self._layout}", flush=True)
        axes = [0, *(1 + axis for axis in _LAYOUTS[self._layout])]
        given = np.ascontiguousarray(images.transpose(axes), self._type)
        fixed = self._shape[0]
        if not isinstance(fixed, int) or fixed == len(given):
            return self._run(given)
        # Exported for one size of batch: in pieces of it, the last filled up.
        padding = np.repeat(given[-1:], -len(given) % fixed, axis=0)
        filled = np.concatenate([given, padding])
        found = [self._run(filled[i : i + fixed]) for i in range(0, len(filled), fixed)]
        return np.concatenate(found)[: len(given)]

    def _run(self, given: np.ndarray) -> np.ndarray:
        return self._session.run([self._output], {self._input: given})[0]

    def _choose_layout(self, image_shape: Sequence[int]) -> str:
        """The layout that images fit; NCHW, which most exporters write, where both do."""
        fitting = [name for name in _LAYOUTS if self._fits(name, image_shape)]
        if not fitting:
            raise UserError(
                f"model {self.name} takes inputs of shape {list(self._shape)}; images are of "
                f"{' x '.join(map(str, image_shape))}, height x width x channels"
            )
        return fitting[-1]

    def _fits(self, layout: str, image_shape: Sequence[int]) -> bool:
        wanted = self._shape[1:]
        given = [image_shape[axis] for axis in _LAYOUTS[layout]]
        return len(wanted) == 3 and all(
            not isinstance(side, int) or side == of_image
            for side, of_image in zip(wanted, given, strict=True)
        )


def _session(path: PathLike) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"--model={path} needs ONNX Runtime ({error}): pip install 'robgan_tf[onnx]'"
        ) from error
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    # There is no end to what a damaged file makes of its reader.
    except Exception as error:
        raise UserError(f"model {path} cannot be loaded: {first_line(error)}") from error
