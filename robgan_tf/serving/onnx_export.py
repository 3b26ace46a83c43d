"""Writes a part as an ONNX model, for runtimes other than TensorFlow's.

An ONNX model is one function of numbers, so a part keeps one signature here, without its checks:
ONNX has no operation that refuses a request. Whoever runs the model has to refuse bad input.

tf2onnx is in the extra onnx and imported only where it is used.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.serving.classifier_signatures import classified, discriminated
from robgan_tf.serving.exported_parts import ExportedPart
from robgan_tf.serving.model_card import as_json, as_markdown
from robgan_tf.typing import JsonObject, Scalars

# Of 2021: what tf2onnx prefers, and old enough for the runtimes in use.
OPSET = 15
# Not the name of a served model: TensorFlow Serving would look for a saved_model.pb in it.
DIRECTORY_SUFFIX = "_onnx"
_NOTE = (
    f"ONNX, opset {OPSET}; it does not check its input: images and latents must be finite, labels "
    "must be classes."
)


def check_converter() -> None:
    """Raises UserError where tf2onnx cannot be imported."""
    try:
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"--format=onnx needs tf2onnx ({error}): pip install 'robgan_tf[onnx]'"
        ) from error


def onnx_part(part: ExportedPart) -> ExportedPart:
    """The part with the one signature that ONNX holds, in place of all.

    `generate`: latents float32 [N, Z], labels int64 [N] -> `images`;
    `classify`: images float32 [N, H, W, C] -> `logits`, `probabilities`, and `realness` where the
    part gives it;
    `discriminate`: images -> `source_logits`, `class_logits`, and `realness` likewise.

    Args:
      part: an ExportedPart whose first signature is one of these.

    Returns:
      An ExportedPart.
    """
    name, checked = next(iter(part.signatures.items()))
    kept = checked.get_concrete_function().structured_outputs

    @tf.function(input_signature=checked.input_signature, autograph=False)
    def unchecked(*inputs: tf.Tensor) -> Scalars:
        outputs = _ANSWERS[name](part, *inputs)
        return {output: value for output, value in outputs.items() if output in kept}

    return dataclasses.replace(
        part, signatures={name: unchecked}, description=f"{part.description} {_NOTE}"
    )


def write_onnx(path: pathlib.Path, part: ExportedPart, card: JsonObject) -> None:
    """Writes model and card into a directory.

    Args:
      path: the directory, which does not exist yet.
      part: what `onnx_part` returned.
      card: its model card.
    """
    (function,) = part.signatures.values()
    model = converted(function)
    path.mkdir()
    (path / "model.onnx").write_bytes(model.SerializeToString())
    (path / "model_card.json").write_text(as_json(card))
    (path / "model_card.md").write_text(as_markdown(card))


def converted(function: Any) -> Any:
    """Converts a tf.function that has an input signature and returns a dict.

    Args:
      function: of tensors [N, ...] whose outputs are [N, ...].

    Returns:
      An onnx.ModelProto; inputs and outputs keep their names.
    """
    import onnx
    import tf2onnx

    # By default tf2onnx copies the whole graph before each of its passes, to go on where one fails:
    # 6 GB instead of 4 for G at the published width. With this variable a failure is an error.
    os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")
    model, _ = tf2onnx.convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    for value in [*model.graph.input, *model.graph.output]:
        # tf2onnx calls each free size differently; that these are one and the same is known here.
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    # tf2onnx leaves operations that it cannot convert as they are; no runtime would know them.
    onnx.checker.check_model(model, full_check=True)
    return model


def _generated(part: ExportedPart, latents: tf.Tensor, labels: tf.Tensor) -> Scalars:
    return {"images": part.model(latents, tf.cast(labels, tf.int32), training=False)}


def _classified(part: ExportedPart, images: tf.Tensor) -> Scalars:
    return classified(part.model, images, part.realness)


def _discriminated(part: ExportedPart, images: tf.Tensor) -> Scalars:
    return discriminated(part.model, images, part.realness)


_ANSWERS: dict[str, Callable[..., Scalars]] = {
    "generate": _generated,
    "classify": _classified,
    "discriminate": _discriminated,
}
