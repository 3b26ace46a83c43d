"""What every command shares: its start, and how it ends for the user."""

import os
import sys

# Before TensorFlow is imported: its notes about absent GPUs would drown ours (a few it prints all
# the same). The commands print the devices in use; TF_CPP_MIN_LOG_LEVEL=0 brings the notes back.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow turns oneDNN on by itself only on some processors; on others its convolutions are
# about half as fast without it, and a run's low bits would depend on the machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app, flags, logging

from robgan_tf.errors import NonFiniteError, UserError

USER_ERROR_STATUS = 2
NON_FINITE_STATUS = 3
INTERRUPTED_STATUS = 130


def run(main):
    """Runs a command's `main()` and exits with what `finish` returns.

    Args:
      main: function without arguments that returns an exit status.
    """
    app.run(lambda argv: finish(main, argv))


def finish(main, argv):
    """Runs a command's `main()` and turns the ways it can end into an exit status.

    A UserError ends as one line on standard error and status 2, a NonFiniteError likewise with
    status 3, without tracebacks; any other exception is a fault of this package and shows one.

    Args:
      main: function without arguments that returns an exit status.
      argv: what is left of the command line when flags are taken out, the command first.

    Returns:
      The exit status.
    """
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if len(argv) > 1:
            raise UserError(f"unexpected argument {argv[1]!r}; flags begin with --")
        return main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_STATUS
    except KeyboardInterrupt:
        print(
            "interrupted; the same command starts again from the last checkpoint", file=sys.stderr
        )
        return INTERRUPTED_STATUS
    except NonFiniteError as error:
        print(f"stopped, nothing of this step is saved: {error}", file=sys.stderr)
        return NON_FINITE_STATUS
