"""Checks a running model server against the exported models, signature by signature.

    python -m robgan_tf.serve_check --export_dir=exports --rest=localhost:8501 --grpc=localhost:8500

calls every signature over REST (in rows and in columns) and over gRPC, and compares the answers
with the same models in this process. The exit status is 1 where anything differs.
"""

import functools

from absl import flags

from robgan_tf.cli import start as command
from robgan_tf.errors import UserError

_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "What the server serves: <name>/<version>/.")
_REST = flags.DEFINE_string("rest", None, "host:port of the REST interface.")
_GRPC = flags.DEFINE_string("grpc", None, "host:port of the gRPC interface.")
_IMAGES = flags.DEFINE_integer("images", 3, "In each request.", lower_bound=1)

DIFFERENT_STATUS = 1


def main():
    """Runs the command; returns its exit status."""
    if not _EXPORT_DIR.value:
        raise UserError("what should the server serve? give --export_dir")
    if not _REST.value and not _GRPC.value:
        raise UserError("which server? give --rest=host:port, --grpc=host:port or both")
    # TensorFlow takes seconds to load: a missing flag should not have to wait for it.
    from robgan_tf.serving.check import compare, exported_models
    from robgan_tf.serving.client import GrpcClient, RestClient

    transports = {}
    if _REST.value:
        rest = RestClient(_REST.value)
        transports["REST, rows"] = rest.predict
        transports["REST, columns"] = functools.partial(rest.predict, columnar=True)
    if _GRPC.value:
        transports["gRPC"] = GrpcClient(_GRPC.value).predict
    all_equal = True
    print(f"{'model':<15}{'signature':<17}{'over':<15}{'largest difference':<20}equal")
    for model in exported_models(_EXPORT_DIR.value):
        for row in compare(model, transports, _IMAGES.value):
            all_equal = all_equal and row.equal
            print(
                f"{row.model:<15}{row.signature:<17}{row.transport:<15}{row.difference:<20.1e}"
                f"{'yes' if row.equal else 'NO'}",
                flush=True,
            )
    return 0 if all_equal else DIFFERENT_STATUS


if __name__ == "__main__":
    command.run(main)
