"""How long a step takes on so many devices: a calculation from counts and rates.

    step = max(launching, arithmetic) + exchanging
    launching = operations(B / N) * seconds an operation
    arithmetic = flops(B / N) / rate
    exchanging = 2 (N - 1) / N * bytes / link + exchanges * latency          (a ring all-reduce)

for a global batch of B images on N devices.
"""

import dataclasses

from tools.scaling.machines import EXCHANGE_SECONDS, Accelerator, sustained
from tools.scaling.steps import StepCosts


@dataclasses.dataclass(frozen=True)
class StepTime:
    """Of one step, in seconds.

    Attributes:
      launching: of its operations one after the other, whatever they compute.
      arithmetic: of convolutions and matrix products, with the traffic that goes with them.
      exchanging: of gradients and batch statistics between devices.
    """

    launching: float
    arithmetic: float
    exchanging: float

    @property
    def total(self) -> float:
        """Launching hides behind arithmetic or the other way round; exchanging behind neither."""
        return max(self.launching, self.arithmetic) + self.exchanging


def seconds_per_operation(measured: StepCosts, seconds: float) -> float:
    """What launching an operation takes, of a step that was found to be bound by it."""
    return seconds / measured.at(measured.batch_size).operations


def step_time(
    costs: StepCosts, device: Accelerator, devices: int, per_operation: float, batch_size: int = 0
) -> StepTime:
    """Calculates a step.

    Args:
      costs: of the step.
      device: each of the devices.
      devices: how many, of one machine.
      per_operation: `seconds_per_operation`.
      batch_size: global; that of the gin files if 0.
    """
    local = costs.at((batch_size or costs.batch_size) / devices)
    share = 2 * (devices - 1) / devices
    exchanging = share * costs.synchronized_bytes / device.link
    if devices > 1:
        exchanging += costs.exchanges * EXCHANGE_SECONDS
    return StepTime(
        launching=local.operations * per_operation,
        arithmetic=local.flops / sustained(device),
        exchanging=exchanging,
    )
