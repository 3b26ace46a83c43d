"""Signals that arrive at a given moment."""

import contextlib
import pkgutil
import signal

import pytest


@contextlib.contextmanager
def signal_at(name, call, number):
    """A signal arrives in the n-th call of a function, before it has any effect."""
    with pytest.MonkeyPatch.context() as patched:
        target, calls = pkgutil.resolve_name(name), []

        def function(*arguments, **keywords):
            calls.append(name)
            if len(calls) == call:
                signal.raise_signal(number)
            return target(*arguments, **keywords)

        patched.setattr(name, function)
        yield
    assert len(calls) >= call
