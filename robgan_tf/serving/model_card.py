"""The card of an exported model: what it is, how it was made, how good it was measured to be."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import robgan_tf
from robgan_tf.reporting.markdown import table
from robgan_tf.serving.exported_parts import ExportedPart
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.stages.measured import measured_table
from robgan_tf.typing import JsonObject

IMAGE_RANGE = (-1.0, 1.0)


def model_card(
    run: FinishedRun,
    name: str,
    part: ExportedPart,
    class_names: Sequence[str],
    evaluations: Mapping[str, JsonObject],
) -> JsonObject:
    """Collects the card of a part.

    Args:
      run: a FinishedRun.
      name: of the part.
      part: an ExportedPart.
      class_names: of the data.
      evaluations: what the run measured, dict from file name to record.

    Returns:
      A JSON-able dict.
    """
    data = {
        setting: value
        for setting, value in run.config.flat().items()
        if setting.startswith("data.")
    }
    return {
        "name": name,
        "description": part.description,
        "made_by": f"robgan_tf {robgan_tf.__version__}",
        "run": run.identity,
        "training_step": run.step,
        "class_names": list(class_names),
        "resolution": data["data.resolution"],
        "channels": data["data.channels"],
        "image_range": list(IMAGE_RANGE),
        "parameters": parameter_count(part.model),
        "signatures": {
            signature: _described(function) for signature, function in part.signatures.items()
        },
        "measured": evaluations,
        "config": run.config.flat(),
    }


def parameter_count(model: keras.Model) -> int:
    """How many numbers the variables of a model hold."""
    return sum(math.prod(variable.shape) for variable in model.variables)


def as_json(card: JsonObject) -> str:
    """The card as text."""
    return json.dumps(card, indent=1) + "\n"


def as_markdown(card: JsonObject) -> str:
    """The card for people."""
    lines = [
        f"# {card['name']}",
        "",
        card["description"],
        "",
        f"- made by {card['made_by']} from {card['run']}",
        f"- {card['parameters']:,} parameters, float32",
        f"- images of {card['resolution']}x{card['resolution']}x{card['channels']}; floats are in "
        "[-1, 1], p / 127.5 - 1 of a byte p",
        f"- {len(card['class_names'])} classes: {', '.join(card['class_names'])}",
        "",
    ]
    signatures = (
        (f"`{name}`", _listed(spec["inputs"]), _listed(spec["outputs"]))
        for name, spec in card["signatures"].items()
    )
    lines += table(["signature", "takes", "gives"], signatures)
    return "\n".join([*lines, "", *measured_table(card["measured"]), ""]).rstrip() + "\n"


def _described(function: Any) -> JsonObject:
    concrete = function.get_concrete_function()
    return {
        "inputs": {
            name: _spec(spec) for name, spec in concrete.structured_input_signature[1].items()
        }
        or {spec.name: _spec(spec) for spec in concrete.structured_input_signature[0]},
        "outputs": {name: _spec(value) for name, value in concrete.structured_outputs.items()},
    }


def _spec(tensor: tf.Tensor) -> JsonObject:
    return {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}


def _listed(specs: Mapping[str, JsonObject]) -> str:
    return ", ".join(f"`{name}` {_shown(spec)}" for name, spec in specs.items())


def _shown(spec: JsonObject) -> str:
    sizes = ", ".join("N" if size is None else str(size) for size in spec["shape"])
    return f"{spec['dtype']} [{sizes}]"
