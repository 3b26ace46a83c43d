"""Variants timed, as the rows of a table, beside the machine's best rate."""

from collections.abc import Sequence

from robgan_tf.typing import JsonObject
from tools.benchmarks.machine import convolution_peaks
from tools.benchmarks.options import Options
from tools.benchmarks.timing import Variant, interleave, summarize


def timed(variants: Sequence[Variant], options: Options) -> JsonObject:
    """Runs variants in turns; the first is the reference.

    Args:
      variants: what is compared.
      options: how often each is run.

    Returns:
      Dict of the rows, all seconds, and the fastest convolution of each precision, measured before
      and after, the better one.
    """
    before = convolution_peaks()
    seconds = interleave(variants, options.rounds)
    after = convolution_peaks()
    peaks = {precision: max(before[precision], after[precision]) for precision in before}
    return {
        "rows": summarize(variants, seconds, peaks),
        "peak_gigaflops_per_second": {name: peak / 1e9 for name, peak in peaks.items()},
        "all_seconds": seconds,
    }
