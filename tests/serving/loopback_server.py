"""A stand-in for tensorflow_model_server, which no package registry carries.

Behind it the models are loaded and run by TensorFlow's C++ loader, as in the real server, and it
speaks the same protocols: gRPC `PredictionService` (Predict, GetModelMetadata) with the messages
of tensorflow-serving-api, and the REST calls predict, status and metadata. It serves the highest
version of every model in <base>/<name>/<integer version>/ at the time it starts.

It is not the real server. It does no batching, warm-up or polling for new versions, knows no
version labels and no Classify, Regress or MultiInference; a body larger than 64 MB is refused.
The texts of its errors are its own; their codes follow the real server's source.
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).parents[2]
START_SECONDS = 120
STOP_SECONDS = 20


@contextlib.contextmanager
def running_server(base_dir):
    """Serves the models of a folder, in a process of its own, for the time of a `with` block.

    Args:
      base_dir: folder with <name>/<integer version>/saved_model.pb.

    Yields:
      (rest_address, grpc_address), such as ("http://127.0.0.1:8501", "127.0.0.1:8500").

    Raises:
      RuntimeError: it did not start, with what it wrote to standard error.
    """
    command = [sys.executable, "-m", "tests.serving.loopback_server", str(base_dir)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true", **os.environ}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=errors, **pipes)
        try:
            yield _addresses(process, errors)
        finally:
            _stop(process)


def _addresses(process, errors):
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    line = process.stdout.readline()
    timer.cancel()
    if not line:
        process.wait()
        errors.seek(0)
        text = errors.read().decode(errors="replace")
        raise RuntimeError(f"the server did not start (status {process.returncode}):\n{text}")
    return tuple(json.loads(line))


def _stop(process):
    # The server ends when its standard input does, so that it does not outlive a killed test.
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _stand_in_for_tensorflow():
    """Makes `tensorflow` an empty package in which only the message classes are found.

    Python's TensorFlow stays out of the process: a model must not work here because of something
    that Python's import brought along.
    """
    # A module that is made but not executed knows where its submodules are.
    spec = importlib.util.find_spec("tensorflow")
    sys.modules["tensorflow"] = importlib.util.module_from_spec(spec)


def main(base_dir):
    """Serves until standard input ends; prints its addresses as a line of JSON when ready."""
    _stand_in_for_tensorflow()
    from tests.serving import front

    models = front.Models(base_dir)
    grpc_server, grpc_port = front.start_grpc(models)
    rest_server = front.make_rest(models)
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()
    addresses = [f"http://{front.HOST}:{rest_server.server_port}", f"{front.HOST}:{grpc_port}"]
    print(json.dumps(addresses), flush=True)
    sys.stdin.read()
    rest_server.shutdown()
    grpc_server.stop(grace=None).wait()


if __name__ == "__main__":
    main(sys.argv[1])
