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

from robgan_tf.errors import CollapseError, NonFiniteError, UserError

USER_ERROR_STATUS = 2
NON_FINITE_STATUS = 3
COLLAPSE_STATUS = 4
INTERRUPTED_STATUS = 130


def run(main, kinds=()):
    """Runs a command's `main()` and exits with what `finish` returns.

    Args:
      main: function that returns an exit status; without arguments, or of one of `kinds`.
      kinds: what the first word of the command line may be; empty where there is none.
    """
    app.run(lambda argv: finish(main, argv, kinds))


def finish(main, argv, kinds=()):
    """Runs a command's `main()` and turns the ways it can end into an exit status.

    A UserError ends as one line on standard error and status 2, a NonFiniteError likewise with
    status 3 and a CollapseError with status 4, without tracebacks; any other exception is a fault
    of this package and shows one.

    Args:
      main: as in `run`.
      argv: what is left of the command line when flags are taken out, the command first.
      kinds: as in `run`.

    Returns:
      The exit status.
    """
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        return main(*_kind(argv, kinds))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_STATUS
    except KeyboardInterrupt:
        print("interrupted; the same command continues from what was last saved", file=sys.stderr)
        return INTERRUPTED_STATUS
    except NonFiniteError as error:
        print(f"stopped, nothing of this step is saved: {error}", file=sys.stderr)
        return NON_FINITE_STATUS
    except CollapseError as error:
        print(f"stopped by an alarm and saved: {error}", file=sys.stderr)
        return COLLAPSE_STATUS


def refuse_flags_of_others(flags_of, kind):
    """Refuses flags that only other kinds of a command use: they would change nothing, unseen.

    Args:
      flags_of: dict from kind to the FlagHolders of the flags that it uses.
      kind: that is asked for.

    Raises:
      UserError: if such a flag is given.
    """
    used = {flag.name for flag in flags_of[kind]}
    others = [flag for of_kind in flags_of.values() for flag in of_kind if flag.name not in used]
    refuse_flags(others, f"is nothing that {kind} uses")


def refuse_flags(unused, why):
    """Refuses flags that would change nothing.

    Args:
      unused: FlagHolders of them.
      why: continues a sentence that begins with a flag's name.

    Raises:
      UserError: if one is given.
    """
    for flag in unused:
        if flag.present:
            raise UserError(f"--{flag.name} {why}: leave it out")


def _kind(argv, kinds):
    """The words of the command line that are not flags: one of the kinds, or none."""
    words = argv[1:]
    if kinds and (not words or words[0] not in kinds):
        given = f"{words[0]!r} does not exist" if words else "nothing was given"
        raise UserError(f"what to do? {given}; choose {' or '.join(kinds)}")
    if len(words) > bool(kinds):
        raise UserError(f"unexpected argument {words[-1]!r}; flags begin with --")
    return words
