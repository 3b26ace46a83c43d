"""The export command as a user runs it, and its result in the C++ loader that servers use."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from robgan_tf.serving.examples import example_inputs
from robgan_tf.stages.finished import open_run
from tests import in_process, tiny
from tests.in_process import ROOT

FINETUNE = (
    "finetune.steps = 1",
    "finetune.batch_size = 8",
    "gap.every = 0",
    "final_evaluation.images = 0",
)


def export(run_dir, export_dir, *arguments):
    return in_process.run(
        "export", f"--run_dir={run_dir}", f"--export_dir={export_dir}", *arguments
    )


def card_of(version):
    return json.loads((version / "assets" / "model_card.json").read_text())


def in_c(version, card, folder):
    """Outputs of every signature on example inputs, from TensorFlow's C++ loader."""
    names = [*card["signatures"], "serving_default"]
    calls, inputs = [], {}
    for name in names:
        inputs[name] = example_inputs(card, name if name in card["signatures"] else names[0])
        np.savez(folder / f"{name}_inputs.npz", **inputs[name])
        calls += [name, str(folder / f"{name}_inputs.npz"), str(folder / f"{name}_outputs.npz")]
    command = [sys.executable, "-m", "tools.serving_c.c_loader", str(version), *calls]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    outputs = {
        name: dict(np.load(folder / f"{name}_outputs.npz", allow_pickle=True)) for name in names
    }
    return inputs, outputs


def test_the_generator_in_the_c_loader_is_the_averaged_g(trained, exported, tmp_path):
    version = exported / "generator" / "1"
    inputs, outputs = in_c(version, card_of(version), tmp_path)
    generator = open_run(trained).load_generator("float32")
    for name in ("generate", "serving_default"):
        expected = generator(
            inputs[name]["latents"], inputs[name]["labels"].astype(np.int32), training=False
        )
        np.testing.assert_allclose(outputs[name]["images"], expected, rtol=0, atol=1e-5)
        levels = np.round((np.array(expected) + 1.0) * 127.5)
        assert np.abs(outputs[name]["images_uint8"] - levels).max() <= 1
    assert outputs["sample"]["images"].shape == expected.shape


def test_the_classifier_in_the_c_loader_is_d(trained, exported, tmp_path):
    version = exported / "classifier" / "1"
    inputs, outputs = in_c(version, card_of(version), tmp_path)
    discriminator = open_run(trained).load_classifier("float32")
    source, logits = discriminator(inputs["classify"]["images"], training=False)
    # The examples are the same pictures in every form.
    for name in ("classify", "classify_uint8", "classify_bytes", "serving_default"):
        np.testing.assert_allclose(outputs[name]["logits"], logits, rtol=0, atol=1e-5)
        np.testing.assert_allclose(outputs[name]["realness"], tf.sigmoid(source), atol=1e-5)
        first = [row[0].decode() for row in outputs[name]["top_classes"]]
        assert first == [str(index) for index in np.argmax(logits, axis=1)]
    version = exported / "discriminator" / "1"
    inputs, outputs = in_c(version, card_of(version), tmp_path)
    source, logits = discriminator(inputs["discriminate"]["images"], training=False)
    np.testing.assert_allclose(outputs["discriminate"]["source_logits"], source, atol=1e-5)
    np.testing.assert_allclose(outputs["discriminate"]["class_logits"], logits, atol=1e-5)


def test_where_each_model_is_written_is_printed(export_ended):
    folder, process = export_ended
    assert "Exporting  joint at step 2000 (" in process.stdout
    for name in ("generator", "classifier", "discriminator"):
        assert f"{folder / name / '1'}" in process.stdout


def test_variables_are_stored_once_and_none_of_training(exported):
    for name in ("generator", "classifier", "discriminator"):
        version = exported / name / "1"
        path = version / "variables" / "variables"
        reader = tf.train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
        # Besides the variables there is TensorFlow's own description of the objects, a string.
        stored = [key for key in shapes if reader.get_variable_to_dtype_map()[key] != tf.string]
        assert sum(np.prod(shapes[key]) for key in stored) == card_of(version)["parameters"]
        size = path.with_name("variables.data-00000-of-00001").stat().st_size
        assert size < 4 * card_of(version)["parameters"] + 16_384


def test_cards_say_what_the_model_is(trained, exported):
    card = card_of(exported / "classifier" / "1")
    assert card["class_names"] == [str(digit) for digit in range(10)]
    assert (card["resolution"], card["channels"], card["image_range"]) == (16, 1, [-1.0, 1.0])
    assert card["training_step"] == 2000 and card["config"]["data.dataset"] == "digits"
    measured = json.loads((trained / "evaluations" / "step_00002000.json").read_text())
    assert card["measured"] == {"step_00002000": measured}
    text = (exported / "classifier" / "1" / "assets" / "model_card.md").read_text()
    assert f"{measured['clean']:.2%}" in text and "| `classify_bytes` |" in text


def test_warm_up_requests_are_records_of_every_signature(exported):
    for name in ("generator", "classifier", "discriminator"):
        version = exported / name / "1"
        path = version / "assets.extra" / "tf_serving_warmup_requests"
        logs = [
            prediction_log_pb2.PredictionLog.FromString(record.numpy())
            for record in tf.data.TFRecordDataset(str(path))
        ]
        requests = [log.predict_log.request for log in logs]
        signatures = card_of(version)["signatures"]
        assert [x.model_spec.signature_name for x in requests] == list(signatures)
        assert {x.model_spec.name for x in requests} == {name}
        for request in requests:
            # Which the signatures take: so the C loader is called above.
            inputs = example_inputs(card_of(version), request.model_spec.signature_name, count=1)
            assert set(request.inputs) == set(inputs)
            for key, value in request.inputs.items():
                np.testing.assert_array_equal(tf.make_ndarray(value), inputs[key])
                assert tf.make_ndarray(value).dtype == inputs[key].dtype


def test_the_best_checkpoint_of_a_fine_tuned_classifier(tuned, tmp_path):
    process = export(tuned, tmp_path)
    assert process.returncode == 0, process.stderr
    best = open_run(tuned, "best")
    version = tmp_path / "classifier" / "1"
    card = card_of(version)
    assert card["training_step"] == best.step and "take realness with care" in card["description"]
    inputs, outputs = in_c(version, card, tmp_path)
    logits = best.load_classifier("float32")(inputs["classify"]["images"], training=False)[1]
    np.testing.assert_allclose(outputs["classify"]["logits"], logits, rtol=0, atol=1e-5)
    missing = export(tuned, tmp_path, "--what=generator")
    assert missing.returncode == 2 and "has no generator: it holds classifier" in missing.stderr


def test_another_export_is_the_next_version(trained, exported, tmp_path):
    shutil.copytree(exported / "discriminator", tmp_path / "discriminator")
    again = export(trained, tmp_path, "--checkpoint=last", "--what=discriminator")
    assert again.returncode == 0 and str(tmp_path / "discriminator" / "2") in again.stdout


@pytest.mark.usefixtures("eagerly")
def test_an_exported_generator_serves_another_classifier(exported, tmp_path):
    for name, bindings in (("tiny", tiny.BINDINGS), ("finetune", FINETUNE)):
        (tmp_path / f"{name}.gin").write_text("\n".join(bindings) + "\n")
    process = in_process.run(
        "finetune", f"--gin_file={tmp_path / 'tiny.gin'}",
        "--gin_file=gin/finetune/gan_aided.gin", f"--gin_file={tmp_path / 'finetune.gin'}",
        "--gin_param=classifier_optimizer.schedule='constant'",
        f"--generated={exported / 'generator' / '1'}", f"--run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "batch 4 real and 4 generated images" in process.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint=77"], "there is no checkpoint of step 77"),
        (["--checkpoint=best"], "has no best checkpoint"),
        (["--version=1"], "exists already (versions 1): leave out --version"),
        (["--what=decoder"], "has no decoder: it holds generator, classifier, discriminator"),
    ],
)
def test_bad_input_is_one_line_and_leaves_what_is_there(trained, exported, arguments, message):
    before = sorted(exported.rglob("*"))
    process = export(trained, exported, *arguments)
    assert process.returncode == 2
    assert message in process.stderr.splitlines()[-1] and "Traceback" not in process.stderr
    assert sorted(exported.rglob("*")) == before


def test_what_is_missing_is_named(tmp_path):
    assert "give --run_dir and --export_dir" in in_process.run("export").stderr
    nothing = export(tmp_path, tmp_path)
    assert nothing.returncode == 2 and "holds no run" in nothing.stderr
    started = in_process.start("export", f"--run_dir={tmp_path}")
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 2 and not output
    assert errors == "error: what to export, and where to? give --run_dir and --export_dir\n"
