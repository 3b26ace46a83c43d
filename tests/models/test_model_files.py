"""Model files of strangers: what they would run is not run, what they would read is not read."""

import contextlib
import json
import shutil
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from robgan_tf.keras_versions import IS_KERAS_2
from robgan_tf.models import PreActResNet18
from robgan_tf.models.model_files import load_keras_file, load_saved_model

CODE = {"code": "4wAAAA==", "defaults": None, "closure": None}
LAMBDA = {"function": {"class_name": "__lambda__", "config": CODE}}
OF_KERAS = "which is nothing of Keras that a network is made of"
PROGRAM = "which holds a program or reads a file"


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(module, name, /, **config):
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "d", **config},
        "registered_name": None,
    }


# What stands in place of a layer of the network, and what the message says.
LAYERS = {
    "a class of a module": (layer("payload", "Kind"), f"payload.Kind, {OF_KERAS}"),
    "a function of a module": (
        layer("keras.layers", "Dense", units=2, activation=function("payload", "run")),
        f"payload.run, {OF_KERAS}",
    ),
    "a function of Python": (
        layer("keras.layers", "Dense", units=2, activation=function("os", "system")),
        f"os.system, {OF_KERAS}",
    ),
    "a function of Keras that fetches": (
        layer("keras.layers", "Dense", units=2, activation=function("keras.utils", "get_file")),
        f"keras.utils.get_file, {OF_KERAS}",
    ),
    "a layer of somebody's applications": (
        layer("applications", "LayerScale"),
        f"applications.LayerScale, {OF_KERAS}",
    ),
    "a network of Keras that fetches weights": (
        layer("keras.src.applications.convnext", "ConvNeXtTiny"),
        f"keras.src.applications.convnext.ConvNeXtTiny, {OF_KERAS}",
    ),
    "a Lambda": (layer("keras.layers", "Lambda", **LAMBDA), f"a Lambda, {PROGRAM}"),
    "a SavedModel": (
        layer("keras.layers", "TFSMLayer", filepath="/tmp"),
        f"a TFSMLayer, {PROGRAM}",
    ),
    "a pickle": (
        layer("keras.layers", "TorchModuleWrapper", module="gASV"),
        f"a TorchModuleWrapper, {PROGRAM}",
    ),
    "an operation of Keras 2 that writes a file": (
        layer("keras.layers", "TFOpLambda", function="io.write_file"),
        "a TFOpLambda of io.write_file, and an operation may be a program",
    ),
    "a file of this machine": (
        layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
        f"a StringLookup, {PROGRAM}",
    ),
}
# The same for the whole configuration.
WHOLE = {
    "a class": (layer("payload", "Kind"), f"payload.Kind, {OF_KERAS}"),
    "Keras's own switch": (
        function("keras.config", "enable_unsafe_deserialization"),
        f"keras.config.enable_unsafe_deserialization, {OF_KERAS}",
    ),
    "a loader": (function("keras.saving", "load_model"), f"keras.saving.load_model, {OF_KERAS}"),
    "a list": ([1, 2], "TypeError"),
    "a string": ("payload.run", "TypeError"),
    "great depth": (json.loads('{"a":' * 500 + "1" + "}" * 500), "RecursionError"),
}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The file that the module `payload` makes where anything of it is used."""
    marker = tmp_path / "ran"
    mark = f"open({str(marker)!r}, 'w')"
    (tmp_path / "payload.py").write_text(
        f"{mark}\ndef run(x):\n  {mark}\n  return x\n"
        f"class Kind:\n  @classmethod\n  def from_config(cls, config): {mark}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "payload", raising=False)
    return marker


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A network in both kinds of file."""
    folder = tmp_path_factory.mktemp("models")
    network = keras.Sequential(
        [keras.Input([4, 4, 3]), keras.layers.Flatten(), keras.layers.Dense(2, name="d")]
    )
    network.save(folder / "model.keras")
    network.save(folder / "model.h5")
    return folder


def with_layer(config, replacement):
    layers = config["config"]["layers"]
    (place,) = (k for k, x in enumerate(layers) if x["class_name"] == "Dense")
    layers[place] = replacement
    return config


def rewritten(path, original, change=lambda config: config, members=None):
    """A .keras file with another configuration, or other members."""
    with zipfile.ZipFile(original) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = json.dumps(change(json.loads(content["config.json"])))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in {**content, **(members or {})}.items():
            archive.writestr(name, value)
    return path


def refused(path):
    with pytest.raises(ValueError) as error:
        load_keras_file(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_would_run_something(name, whole, ran, tmp_path):
    replacement, message = LAYERS[name]
    path = rewritten(
        tmp_path / "m.keras", whole / "model.keras", lambda config: with_layer(config, replacement)
    )
    assert message in refused(path)
    shutil.copy(whole / "model.h5", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        config = with_layer(json.loads(file.attrs["model_config"]), replacement)
        file.attrs["model_config"] = json.dumps(config)
    assert message in refused(tmp_path / "m.h5")
    assert not ran.exists() and "payload" not in sys.modules


@pytest.mark.parametrize("name", WHOLE)
def test_a_configuration_of_no_network(name, whole, ran, tmp_path):
    config, message = WHOLE[name]
    path = rewritten(tmp_path / "m.keras", whole / "model.keras", lambda _: config)
    assert message in refused(path)
    assert not ran.exists() and "payload" not in sys.modules


def test_the_switch_of_this_process_changes_nothing(whole, ran, tmp_path, monkeypatch):
    monkeypatch.setattr("keras.src.saving.serialization_lib.in_safe_mode", lambda: False)
    replacement, message = LAYERS["a Lambda"]
    path = rewritten(
        tmp_path / "m.keras", whole / "model.keras", lambda config: with_layer(config, replacement)
    )
    assert message in refused(path)


@pytest.mark.parametrize("kind", ["dataset", "link", "virtual"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_weights_in_another_file_of_this_machine(kind, ending, whole, tmp_path):
    np.full([48, 2], 7.0, np.float32).tofile(tmp_path / "secret.bin")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["kernel"] = np.full([48, 2], 7.0, np.float32)
    weights = tmp_path / "weights.h5"
    if ending == "keras":
        with zipfile.ZipFile(whole / "model.keras") as archive:
            weights.write_bytes(archive.read("model.weights.h5"))
    else:
        shutil.copy(whole / "model.h5", weights)
    with h5py.File(weights, "r+") as file:
        found = []
        file.visititems(lambda name, x: found.append(name) if x.name.endswith("kernel") else None)
        file.visititems(
            lambda name, x: found.append(name) if getattr(x, "shape", 0) == (48, 2) else None
        )
        del file[found[-1]]
        if kind == "dataset":
            external = [(str(tmp_path / "secret.bin"), 0, 48 * 2 * 4)]
            file.create_dataset(found[-1], [48, 2], np.float32, external=external)
        elif kind == "link":
            file[found[-1]] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "kernel")
        else:
            layout = h5py.VirtualLayout((48, 2), np.float32)
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "kernel", (48, 2))
            file.create_virtual_dataset(found[-1], layout)
    if ending == "keras":
        members = {"model.weights.h5": weights.read_bytes()}
        weights = rewritten(tmp_path / "m.keras", whole / "model.keras", members=members)
    assert ("are a link" if kind == "link" else "lie in another file") in refused(weights)


def test_sizes_that_are_claimed(whole, tmp_path):
    members = {"config.json": " " * (2**26 + 1)}
    path = rewritten(tmp_path / "m.keras", whole / "model.keras", members=members)
    assert path.stat().st_size < 2**18
    assert "its config.json would have 67108865 bytes" in refused(path)
    shutil.copy(whole / "model.h5", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.create_dataset("more", [2**33], np.float32, chunks=True)
    assert (tmp_path / "m.h5").stat().st_size < 2**20
    assert "its weights /more would have 34359738368 bytes" in refused(tmp_path / "m.h5")


def test_members_that_would_leave_their_folder(whole, tmp_path):
    (tmp_path / "below").mkdir()
    members = {"../outside": b"x", "assets/../../outside": b"x"}
    path = rewritten(tmp_path / "below" / "m.keras", whole / "model.keras", members=members)
    skipped = pytest.warns(UserWarning, match="Skipping invalid path")
    with contextlib.nullcontext() if IS_KERAS_2 else skipped:  # Keras 2 says nothing.
        load_keras_file(path)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4x", b"\x89HDF\r\n\x1a\n", b"\x80\x04cposix\n."])
def test_files_that_are_no_models(content, tmp_path):
    for name in ("m.keras", "m.h5"):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name)


def test_networks_of_this_package_and_registered_classes_are_loaded(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    @keras.saving.register_keras_serializable("tests")
    def shifted(x):
        return x + 1.0

    inputs = keras.Input([3])
    keras.Model(inputs, keras.layers.Dense(2, shifted)(Doubled()(inputs))).save(
        tmp_path / "m.keras"
    )
    network = load_keras_file(tmp_path / "m.keras")
    assert network(np.ones([1, 3], np.float32)).shape == (1, 2)
    model = PreActResNet18(16, 3, 3, base_width=2)
    model.build()
    model.save(tmp_path / "own.keras")
    assert isinstance(load_keras_file(tmp_path / "own.keras"), PreActResNet18)


def test_layers_of_keras_s_published_networks_and_quantized_ones_are_loaded(tmp_path):
    inputs = outputs = keras.Input([4])
    if not IS_KERAS_2:  # Keras 2.15 cannot read these two itself.
        outputs = StochasticDepth(0.1)(LayerScale(0.5, 4)(inputs))
    outputs = keras.layers.Dense(2)(CustomScaleLayer(0.1)([outputs, inputs]))
    network = keras.Model(inputs, outputs)
    images = np.ones([1, 4], np.float32)
    for name in ("published", *([] if IS_KERAS_2 else ["quantized"])):
        if name == "quantized":
            network.quantize("int8")
        network.save(tmp_path / f"{name}.keras")
        loaded = load_keras_file(tmp_path / f"{name}.keras")
        np.testing.assert_array_equal(loaded(images), network(images))


def test_a_saved_model_is_said_to_be_a_program(tmp_path, capsys):
    keras.Sequential([keras.Input([3]), keras.layers.Dense(2)]).export(tmp_path / "m")
    load_saved_model(tmp_path / "m")
    said = f"SavedModel {tmp_path / 'm'}: a program, run with your rights\n"
    assert said in capsys.readouterr().out
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"\0garbage")
    with pytest.raises(ValueError) as error:
        load_saved_model(tmp_path / "m")
    assert "\n" not in str(error.value)
