"""The counts and the calculated times as Markdown."""

from collections.abc import Sequence

from robgan_tf.reporting.markdown import table
from tools.scaling import machines
from tools.scaling.machines import A100, H200, Accelerator
from tools.scaling.plan import StepTime, seconds_per_operation, step_time
from tools.scaling.steps import StepCosts

DEVICES = ((A100, 1), (A100, 8), (H200, 1), (H200, 8))


def markdown(counted: Sequence[StepCosts]) -> str:
    """All tables.

    Args:
      counted: the steps; the first is that of `machines.MEASURED_GIN_FILE`.
    """
    per_operation = seconds_per_operation(counted[0], machines.MEASURED_STEP_SECONDS)
    parts = (
        ("What a step asks", _counts(counted)),
        ("A step, calculated", _times(counted, per_operation)),
        ("Hours of a whole run, calculated", _hours(counted, per_operation)),
        ("With as many images for each device", _weak(counted, per_operation)),
    )
    return "\n".join("\n".join([f"**{title}**", "", *lines, ""]) for title, lines in parts)


def _counts(counted: Sequence[StepCosts]) -> list[str]:
    header = (
        "step", "batch", "GFLOP a real image", "TFLOP a step", "GB moved a step",
        "operations a step", "exchanged by replicas, MB", "exchanges",
    )  # fmt: skip
    rows = []
    for one in counted:
        costs = one.at(one.batch_size)
        cells = (
            f"{costs.flops / one.real_images / 1e9:.1f}",
            f"{costs.flops / 1e12:.2f}",
            f"{costs.bytes / 1e9:.0f}",
            f"{costs.operations:,.0f}",
            f"{one.synchronized_bytes / 1e6:.1f}",
            str(one.exchanges),
        )
        rows.append((one.name, str(one.batch_size), *cells))
    return table(header, rows)


def _times(counted: Sequence[StepCosts], per_operation: float) -> list[str]:
    header = (
        *("step", "devices", "launching, s", "arithmetic, s", "exchanging, s", "step, s"),
        "real images/s to be read",
    )
    rows = []
    for one in counted:
        for device, devices in DEVICES:
            time = step_time(one, device, devices, per_operation)
            cells = (time.launching, time.arithmetic, time.exchanging, time.total)
            rows.append(
                (
                    one.name,
                    f"{devices} {device.name}",
                    *(f"{value:.3f}" for value in cells),
                    f"{one.real_images / time.total:,.0f}",
                )
            )
    return table(header, rows)


def _hours(counted: Sequence[StepCosts], per_operation: float) -> list[str]:
    accelerators = (f"{devices} {device.name}" for device, devices in DEVICES)
    header = ("run", "steps", "2 cores, float32", "2 cores, bfloat16", *accelerators)
    measured = counted[0].at(counted[0].batch_size).flops
    rows = []
    for one in counted:
        share = one.at(one.batch_size).flops / measured
        seconds = [share * value for value in machines.CPU_STEP_SECONDS.values()]
        seconds += [step_time(one, *on, per_operation).total for on in DEVICES]
        cells = (f"{one.steps * value / 3600:,.1f}" for value in seconds)
        rows.append((one.name, f"{one.steps:,}", *cells))
    return table(header, rows)


def _weak(counted: Sequence[StepCosts], per_operation: float) -> list[str]:
    """Images a second where each device has the whole batch of the gin file."""
    header = ("step", "device", "1", "2", "4", "8", "of 8 times one")
    rows = []
    for one in counted:
        for device in (A100, H200):
            rates = [_rate(one, device, count, per_operation) for count in (1, 2, 4, 8)]
            share = rates[-1] / (8 * rates[0])
            rows.append(
                (one.name, device.name, *(f"{rate:,.0f}" for rate in rates), f"{share:.0%}")
            )
    return table(header, rows)


def _rate(one: StepCosts, device: Accelerator, devices: int, per_operation: float) -> float:
    time: StepTime = step_time(one, device, devices, per_operation, one.batch_size * devices)
    return devices * one.real_images / time.total
