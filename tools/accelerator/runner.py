"""Runs sections, each apart: what fails in one is noted, and the others still run."""

import time
import traceback
from collections.abc import Iterable

from robgan_tf.errors import first_line
from tools.accelerator.options import Options
from tools.accelerator.record import Record
from tools.accelerator.sections import SECTIONS


def run_sections(
    names: Iterable[str], options: Options, record: Record, deadline: float = float("inf")
) -> None:
    """Runs sections in this process.

    Args:
      names: of them, keys of `SECTIONS`.
      options: for them.
      record: gets what each found, or why it failed.
      deadline: of `time.time()`, after which none is begun.
    """
    for name in names:
        if time.time() > deadline:
            record.skipped(name, "the time was used up")
            continue
        print(f"== {name}: {SECTIONS[name].__doc__}", flush=True)
        record.begin(name)
        start = time.perf_counter()
        try:
            result = SECTIONS[name](options)
        # Whatever it is: the record must say so, and the sections after it must run.
        except Exception as error:
            traceback.print_exc()
            why = f"{type(error).__name__}: {first_line(error)}"
            record.failed(name, time.perf_counter() - start, why)
            print(f"{name} FAILED: {why}", flush=True)
        else:
            record.done(name, time.perf_counter() - start, result)
            print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
