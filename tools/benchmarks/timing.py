"""Times several ways of doing the same work, interleaved: a noisy machine treats all alike."""

import dataclasses
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from robgan_tf.typing import JsonObject


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way of doing the work.

    Attributes:
      name: what the table calls it.
      run: does the work once; returns seconds if it has timed itself, else None.
      images: real images in one run.
      flops: floating-point operations of the convolutions in one run (multiply-add = 2), in the
        form that is executed; None where not counted.
      precision: of the convolutions, to choose the peak they are compared with.
    """

    name: str
    run: Callable[[], float | None]
    images: int
    flops: float | None = None
    precision: str = "float32"


def interleave(
    variants: Sequence[Variant], rounds: int, warm_ups: int = 1, seed: int = 0
) -> dict[str, list[float]]:
    """Runs every variant once a round, in an order drawn anew each round.

    Returns:
      Dict from name to its seconds, a list with one entry a round.
    """
    for _ in range(warm_ups):
        for variant in variants:
            variant.run()
    seconds: dict[str, list[float]] = {variant.name: [] for variant in variants}
    order = random.Random(seed)
    for _ in range(rounds):
        for variant in order.sample(list(variants), len(variants)):
            start = time.perf_counter()
            own = variant.run()
            seconds[variant.name].append(own or time.perf_counter() - start)
    return seconds


def summarize(
    variants: Sequence[Variant], seconds: Mapping[str, Sequence[float]], peaks: Mapping[str, float]
) -> list[JsonObject]:
    """Medians, spreads, ratios to the first variant within each round, and shares of the peak.

    Args:
      variants: what was run; the first is the reference.
      seconds: what `interleave` returned.
      peaks: dict from precision to the machine's best convolution, in floating-point operations
        a second.

    Returns:
      A list of dicts, one a variant.
    """
    reference = seconds[variants[0].name]
    rows = []
    for variant in variants:
        own = seconds[variant.name]
        median = statistics.median(own)
        ratios = [theirs / ours for theirs, ours in zip(reference, own, strict=True)]
        row = {
            "variant": variant.name,
            "seconds": median,
            "seconds_range": [min(own), max(own)],
            "images_per_second": variant.images / median,
            "speed_ratio": statistics.median(ratios),
            "speed_ratio_range": [min(ratios), max(ratios)],
        }
        if variant.flops is not None:
            row["gigaflops"] = variant.flops / 1e9
            row["share_of_peak"] = variant.flops / median / peaks[variant.precision]
        rows.append(row)
    return rows
