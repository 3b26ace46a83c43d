"""Writes a part as a SavedModel that the C++ loader of TensorFlow Serving loads.

A Module that holds a Keras 3 model loads in Python only: its variables are written under names
that the C++ loader does not find. So the Module here holds the bare variables, each once, and
the functions that use them.
"""

import pathlib

import tensorflow as tf

from robgan_tf.keras_versions import tensorflow_variable
from robgan_tf.serving.exported_parts import ExportedPart
from robgan_tf.serving.model_card import as_json, as_markdown
from robgan_tf.serving.warmup import write_warmup_requests
from robgan_tf.typing import JsonObject


def write_saved_model(path: pathlib.Path, part: ExportedPart, card: JsonObject) -> None:
    """Writes SavedModel, card and warm-up requests into a directory.

    Args:
      path: the directory, which does not exist yet.
      part: an ExportedPart.
      card: its model card.
    """
    module = tf.Module()
    module.weights = [tensorflow_variable(variable) for variable in part.model.variables]
    signatures = dict(part.signatures)
    signatures["serving_default"] = next(iter(part.signatures.values()))
    tf.saved_model.save(module, str(path), signatures=signatures)
    (path / "assets" / "model_card.json").write_text(as_json(card))
    (path / "assets" / "model_card.md").write_text(as_markdown(card))
    write_warmup_requests(path / "assets.extra", card)
