"""Accelerators by their makers' figures, and what one of them was measured to sustain."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """One device of a machine.

    Attributes:
      name: of it.
      peak: its maker's floating-point operations a second in TF32, dense.
      bandwidth: of its memory, bytes a second.
      link: to the others of its machine, bytes a second each way.
    """

    name: str
    peak: float
    bandwidth: float
    link: float


# The makers' data sheets: dense rates of the SXM forms, half of the two-way NVLink.
A100 = Accelerator("A100 80 GB", peak=156e12, bandwidth=2.039e12, link=300e9)
H200 = Accelerator("H200", peak=494.5e12, bandwidth=4.8e12, link=450e9)

# docs/results/accelerator: PGD-20 on 1,000 images at the published width, in TF32.
MEASURED_ON = H200
SUSTAINED = 106e12
# The same record: the step of gin/cifar10.gin, which the launching of operations takes.
MEASURED_GIN_FILE = "gin/cifar10.gin"
MEASURED_STEP_SECONDS = 0.212
# Assumed, not measured: one exchange between the devices of a machine, however small.
EXCHANGE_SECONDS = 30e-6
# docs/results/benchmark: the same step on 2 cores of a Xeon with AMX, float32 and bfloat16.
CPU_STEP_SECONDS = {"float32": 13.3, "bfloat16": 5.91}


def sustained(device: Accelerator) -> float:
    """What a device may sustain: as measured on one, less by whichever figure is less."""
    ratios = (device.peak / MEASURED_ON.peak, device.bandwidth / MEASURED_ON.bandwidth)
    return SUSTAINED * min(ratios)
