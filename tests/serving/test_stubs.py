"""TensorFlow Serving's stubs are an extra: without them exports work, and gRPC says what to do."""

import sys

import pytest

from robgan_tf.errors import UserError
from robgan_tf.serving.client import GrpcClient
from robgan_tf.serving.warmup import write_warmup_requests


@pytest.fixture
def without_stubs(monkeypatch):
    """As in an environment without tensorflow-serving-api."""
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorflow_serving"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)


def test_an_export_goes_without_warm_up_requests_and_says_so(without_stubs, tmp_path, capsys):
    write_warmup_requests(tmp_path / "assets.extra", {"name": "classifier", "signatures": {}})
    assert not (tmp_path / "assets.extra").exists()
    line = capsys.readouterr().err
    assert line == ("classifier: no warm-up requests: they need pip install 'robgan_tf[serving]'\n")


def test_grpc_names_the_extra(without_stubs):
    with pytest.raises(UserError, match=r"pip install 'robgan_tf\[serving\]'"):
        GrpcClient("localhost:8500")
