"""Where the time of a training step goes, from TensorFlow's own profiler."""

import collections
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

# The format that the profiler writes; it has no other reader without further packages.
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from robgan_tf.typing import JsonObject

KINDS = {
    "convolution: forward": ("Conv2D", "FusedConv2D"),
    "convolution: gradient of images, or transposed": ("Conv2DBackpropInput",),
    "convolution: gradient of kernels": (
        "Conv2DBackpropFilter",
        "Conv2DBackpropFilterWithBias",
    ),
    "ReLU and its gradient": ("Relu", "ReluGrad"),
    "batch normalization, fused": ("FusedBatchNormV3", "FusedBatchNormGradV3"),
    "pooling and its gradient": ("AvgPool", "AvgPoolGrad"),
    "casts": ("Cast",),
    "sums, products and means": (
        *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "Neg", "BiasAdd", "BiasAddGrad"),
        *("Square", "SquaredDifference", "Sqrt", "Rsqrt", "Sum", "Mean", "Minimum", "Maximum"),
    ),
    "matrix products": ("MatMul", "FusedMatMul", "BatchMatMulV2"),
    "copies": ("Tile", "Transpose", "StridedSlice", "Pad", "ConcatV2", "TensorListStack"),
    "updates of variables": (
        "AssignAddVariableOp",
        "AssignSubVariableOp",
        "AssignVariableOp",
        "ResourceApplyAdam",
    ),
}
# Of PyTorch, whose gradients of a convolution are one operation.
PYTORCH_KINDS = {
    "convolution: forward": ("aten::mkldnn_convolution", "aten::_slow_conv2d_forward"),
    "convolution: both gradients": ("aten::convolution_backward",),
    "ReLU and its gradient": ("aten::clamp_min", "aten::relu", "aten::threshold_backward"),
    "batch normalization, fused": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "pooling and its gradient": (
        *("aten::avg_pool2d", "aten::avg_pool2d_backward"),
        *("aten::upsample_nearest2d", "aten::upsample_nearest2d_backward"),
    ),
    "casts and copies": ("aten::copy_",),
    "sums, products and means": (
        *("aten::add", "aten::add_", "aten::sub", "aten::mul", "aten::mul_", "aten::div"),
        *("aten::sum", "aten::mean", "aten::sign", "aten::clamp", "aten::maximum", "aten::minimum"),
    ),
    "matrix products": ("aten::addmm", "aten::mm", "aten::mv"),
    "updates of variables": ("aten::_fused_adam_", "aten::lerp_"),
}
_KIND_OF = {operation: kind for kind, operations in KINDS.items() for operation in operations}
_PYTORCH_KIND_OF = {operation: kind for kind, names in PYTORCH_KINDS.items() for operation in names}


def profile(run: Callable[[], object]) -> JsonObject:
    """Profiles one call of a function that has been called before.

    At each moment, the time is shared out equally among the operations that are then running.

    Args:
      run: a training step of `models.training_step`.

    Returns:
      Dict: `seconds` of the call; `accounted_for`, the share of them in which an operation ran;
      and these shares of the seconds `by_part` of the step and `by_operation`, largest first.
    """
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        events = _operations(xplane_pb2.XSpace.FromString(path.read_bytes()))
    parts: dict[str, float] = collections.defaultdict(float)
    kinds: dict[str, float] = collections.defaultdict(float)
    for (name, operation), duration in _shared_out(events).items():
        parts[_part(name)] += duration / seconds
        kinds[_KIND_OF.get(operation, "everything else")] += duration / seconds
    return {
        "seconds": seconds,
        "accounted_for": sum(kinds.values()),
        "by_part": _largest_first(parts),
        "by_operation": _largest_first(kinds),
    }


def pytorch_profile(found: JsonObject) -> JsonObject:
    """The same of a step in PyTorch, without its parts.

    Args:
      found: of `PyTorchStep.profile`. PyTorch runs one operation at a time.
    """
    kinds: dict[str, float] = collections.defaultdict(float)
    for operation, seconds in found["by_operation"].items():
        kind = _PYTORCH_KIND_OF.get(operation, "everything else")
        kinds[kind] += seconds / found["seconds"]
    return {
        "seconds": found["seconds"],
        "accounted_for": sum(kinds.values()),
        "by_operation": _largest_first(kinds),
    }


def _largest_first(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _operations(space: Any) -> list[tuple[float, float, tuple[str, str]]]:
    """(start, end, (name, operation)) of every operation, in seconds."""
    events = []
    for plane in space.planes:
        names = {key: metadata.name for key, metadata in plane.event_metadata.items()}
        for line in plane.lines:
            if not line.name.startswith("tf_Compute"):
                continue
            for event in line.events:
                name, colon, operation = names[event.metadata_id].rpartition(":")
                # Others are the executor's own, around the operations.
                if colon and "::" not in names[event.metadata_id]:
                    start = line.timestamp_ns * 1e-9 + event.offset_ps * 1e-12
                    operation = operation.removeprefix("_MklNative").removeprefix("_Mkl")
                    key = (name, operation.lstrip("_"))
                    events.append((start, start + event.duration_ps * 1e-12, key))
    return events


def _shared_out(events: Iterable[tuple[float, float, Any]]) -> dict[Any, float]:
    """Seconds by key; while several events are on, each is given its part of the time."""
    changes = sorted(
        [(start, 1, key) for start, _, key in events] + [(end, -1, key) for _, end, key in events],
        key=lambda change: change[:2],
    )
    seconds: dict[Any, float] = collections.defaultdict(float)
    active: collections.Counter[Any] = collections.Counter()
    running, last = 0, 0.0
    for moment, change, key in changes:
        if running:
            for name, count in active.items():
                seconds[name] += count * (moment - last) / running
        active[key] += change
        if not active[key]:
            del active[key]
        running += change
        last = moment
    return seconds


def _part(name: str) -> str:
    """The part of the step: loops are nested, D updates outside and the attack's steps inside."""
    depth = name.count("while/body")
    if depth > 1:
        return "the attack"
    if depth == 0:
        return "G update"
    return "fakes for D" if "generator" in name else "D update"
