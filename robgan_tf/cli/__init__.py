"""The command line: what the doors share, and the kinds of `evaluate` and `sample`."""

import pathlib
import signal
import sys


def _ends_quietly() -> None:
    """Ctrl-C ends a command that is still being imported as a signal does, without a traceback.

    `start.run` decides what becomes of it from then on.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    of_module = spec is not None and spec.name.partition(".")[0] == "robgan_tf"
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default and (of_module or pathlib.Path(sys.argv[0]).stem == "robgan-tf"):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


_ends_quietly()
