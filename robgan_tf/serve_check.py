"""Checks a running model server against the exported models, signature by signature.

    python -m robgan_tf.serve_check --export_dir=exports --rest=localhost:8501 --grpc=localhost:8500

calls every signature over REST (in rows and in columns) and over gRPC, and compares the answers
with the same models in this process. The exit status is 1 where anything differs.
"""

import functools
import sys
from collections.abc import Callable, Sequence

from robgan_tf.cli import start, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError

DIFFERENT_STATUS = 1


def add_flags(parser: Parser) -> None:
    """Declares the command's flags."""
    parser.group("Models and server")
    parser.flag("export_dir", "What the server serves: <name>/<version>/.", values.path, form="DIR")
    parser.flag("rest", "Its REST interface.", form="HOST:PORT")
    parser.flag("grpc", "Its gRPC interface.", form="HOST:PORT")
    parser.flag("images", "In each request.", values.whole(1), default=3, form="NUMBER")


def check(given: Values) -> int:
    """Checks as the flags say."""
    if not given.export_dir:
        raise UserError("what should the server serve? give --export_dir")
    if not given.rest and not given.grpc:
        raise UserError("which server? give --rest=host:port, --grpc=host:port or both")
    # TensorFlow takes seconds to load: a missing flag should not have to wait for it.
    with tensorflow_loading():
        from robgan_tf.serving.check import compare, exported_models
        from robgan_tf.serving.client import GrpcClient, RestClient

    transports: dict[str, Callable] = {}
    if given.rest:
        rest = RestClient(given.rest)
        transports["REST, rows"] = rest.predict
        transports["REST, columns"] = functools.partial(rest.predict, columnar=True)
    if given.grpc:
        transports["gRPC"] = GrpcClient(given.grpc).predict
    all_equal = True
    models = exported_models(given.export_dir)
    print(f"{'model':<15}{'signature':<17}{'over':<15}{'largest difference':<20}equal")
    for model in models:
        for row in compare(model, transports, given.images):
            all_equal = all_equal and row.equal
            print(
                f"{row.model:<15}{row.signature:<17}{row.transport:<15}{row.difference:<20.1e}"
                f"{'yes' if row.equal else 'NO'}",
                flush=True,
            )
    return 0 if all_equal else DIFFERENT_STATUS


COMMAND = Command(
    "serve_check",
    "Checks a running model server against the exported models, signature by signature. Every one "
    "is called over REST (in rows and in columns) and over gRPC, and the answers are compared with "
    "the same models in this process. The exit status is 1 where anything differs.",
    "--export_dir=exports --rest=localhost:8501 --grpc=localhost:8500",
    add_flags,
    check,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return start.run(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
