"""Exported models behind a server, called as clients call it, and the command that checks one.

The server is the stand-in of tests/serving/loopback_server.py over TensorFlow's C++ loader: the
real binary is in no package registry.
"""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from robgan_tf.errors import UserError
from robgan_tf.reporting import png
from robgan_tf.serving.client import GrpcClient, RestClient
from robgan_tf.serving.examples import example_inputs
from tests import made_run, tiny
from tests.in_process import run, start
from tests.serving.loopback_server import running_server


@pytest.fixture(scope="module")
def server(exported):
    with running_server(exported) as (rest, grpc):
        yield rest.removeprefix("http://"), grpc


@pytest.fixture(scope="module")
def exported_by_another(tmp_path_factory):
    """The part of fewest signatures of a run with other weights."""
    folder = tmp_path_factory.mktemp("another")
    other = made_run.write(folder / "run", tiny.config(), made_run.models(seed=5))
    arguments = (f"--run_dir={other}", f"--export_dir={folder / 'exports'}")
    assert run("export", *arguments, "--what=discriminator").returncode == 0
    return folder / "exports"


def card_of(exported, name):
    return json.loads((exported / name / "1" / "assets" / "model_card.json").read_text())


def test_every_signature_over_rest_and_grpc_is_the_local_model(exported, server):
    rest, grpc = server
    process = run("serve_check", f"--export_dir={exported}", f"--rest={rest}", f"--grpc={grpc}")
    assert process.returncode == 0, process.stdout + process.stderr
    rows = process.stdout.partition("equal\n")[2].splitlines()
    # 2 + 3 + 1 signatures and a serving_default of each model, over three ways.
    assert len(rows) == 3 * (2 + 3 + 1 + 3)
    assert all(row.endswith("yes") for row in rows)


def test_a_server_of_other_weights_is_found_out(exported_by_another, server):
    process = run("serve_check", f"--export_dir={exported_by_another}", f"--grpc={server[1]}")
    assert process.returncode == 1
    assert "NO" in process.stdout


def valid(exported, name, signature):
    return example_inputs(card_of(exported, name), signature)


MALFORMED = [
    ("classifier", "classify", {"images": np.zeros([16, 16, 1], np.float32)}),
    ("classifier", "classify", {"images": np.zeros([2, 16, 1], np.float32)}),
    ("classifier", "classify", {"images": np.zeros([1, 16, 16, 3], np.float32)}),
    ("classifier", "classify", {"images": np.zeros([1, 16, 15, 1], np.float32)}),
    ("classifier", "classify", {"images": np.full([1, 16, 16, 1], np.nan, np.float32)}),
    ("classifier", "classify", {"images": np.full([1, 16, 16, 1], 200.0, np.float32)}),
    ("classifier", "classify_uint8", {"images": np.zeros([10_000, 1, 1, 1], np.uint8)}),
    ("classifier", "classify_bytes", {"image_bytes": np.array([b"\xff\xd8\xff\xe0"], object)}),
    ("discriminator", "discriminate", {"images": np.zeros([1, 16, 1, 1], np.float32)}),
    ("generator", "generate", {"latents": np.zeros([1, 16], np.float32), "labels": [99]}),
    ("generator", "generate", {"latents": np.zeros([1, 1], np.float32), "labels": [1]}),
    ("generator", "generate", {"latents": np.zeros([2, 16], np.float32), "labels": [1]}),
    ("generator", "sample", {"labels": np.zeros(10_000, np.int64), "seed": np.zeros(10_000, int),
                             "truncation": np.ones(10_000, np.float32)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "signature", "inputs"), MALFORMED)
def test_malformed_requests_are_refused_and_the_next_is_answered(
    exported, server, name, signature, inputs
):
    inputs = {key: np.asarray(values) for key, values in inputs.items()}
    rest, grpc = RestClient(server[0]), GrpcClient(server[1])
    with pytest.raises(UserError, match="answers INVALID_ARGUMENT"):
        grpc.predict(name, signature, inputs)
    with pytest.raises(UserError, match="answers 400"):
        rest.predict(name, signature, inputs, columnar=True)
    good = valid(exported, name, signature)
    assert grpc.predict(name, signature, good) and rest.predict(name, signature, good)


def test_a_wrong_type_is_refused(exported, server):
    wrong = {"images": np.zeros([1, 16, 16, 1], np.int64)}
    with pytest.raises(UserError, match="answers INVALID_ARGUMENT"):
        GrpcClient(server[1]).predict("classifier", "classify", wrong)
    body = {"signature_name": "classify", "instances": [{"images": "text"}]}
    request = urllib.request.Request(
        f"http://{server[0]}/v1/models/classifier:predict", json.dumps(body).encode()
    )
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)


def test_a_truncated_jpeg_is_refused_and_a_png_of_another_size_is_not(server):
    rest = RestClient(server[0])
    picture = np.full([40, 60, 1], 90, np.uint8)
    whole = {"image_bytes": np.array([png(picture)], object)}
    assert rest.predict("classifier", "classify_bytes", whole)["logits"].shape == (1, 10)
    cut = {"image_bytes": np.array([png(picture)[:70]], object)}
    with pytest.raises(UserError, match="answers 400"):
        rest.predict("classifier", "classify_bytes", cut)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --export_dir"),
        (["--export_dir=x"], "which server? give --rest=host:port"),
        (["--export_dir=nowhere", "--rest=localhost:1"], "nowhere holds no exported model"),
    ],
)
def test_what_is_missing_is_named(arguments, message):
    process = run("serve_check", *arguments)
    assert process.returncode == 2 and message in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_server_that_is_not_there_is_one_line(exported_by_another):
    for flag in ("--rest=localhost:9", "--grpc=localhost:9"):
        process = run("serve_check", f"--export_dir={exported_by_another}", flag)
        assert process.returncode == 2
        assert process.stderr.startswith("error: ") and process.stderr.count("\n") == 1


def test_a_process_of_its_own_ends_likewise():
    started = start("serve_check", "--export_dir=nowhere")
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 2 and not output
    assert errors.startswith("error: which server? give --rest") and errors.count("\n") == 1
