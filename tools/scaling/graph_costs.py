"""Operations, floating-point operations and bytes of one call of a compiled function."""

import collections
import dataclasses
import math
from collections.abc import Iterable

import tensorflow as tf

# They compute nothing and move nothing: the value is there, or a name of it.
_FREE = frozenset(
    (
        *(
            "Const",
            "Placeholder",
            "PlaceholderWithDefault",
            "Fill",
            "Shape",
            "ShapeN",
            "Size",
            "Rank",
        ),
        *("Identity", "IdentityN", "StopGradient", "NoOp", "Reshape", "Squeeze", "ExpandDims"),
        *("VarHandleOp", "ReadVariableOp", "BroadcastGradientArgs"),
        *("TensorListReserve", "TensorListStack", "TensorListFromTensor", "TensorListLength"),
    )
)
_ADAM = "ResourceApplyAdam"
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one call.

    Attributes:
      operations: executed, one for each time round a loop; each is at least a kernel launched.
      flops: of convolutions and matrix products, multiply-add = 2.
      bytes: read and written by all operations, each tensor once for every operation that reads
        it: what a device without caches and without fused operations would move.
    """

    operations: float
    flops: float
    bytes: float

    def __add__(self, other: "Costs") -> "Costs":
        return Costs(
            self.operations + other.operations, self.flops + other.flops, self.bytes + other.bytes
        )

    def times(self, factor: float) -> "Costs":
        """The costs of so many calls."""
        return Costs(factor * self.operations, factor * self.flops, factor * self.bytes)


NOTHING = Costs(0.0, 0.0, 0.0)


def graph_costs(graph: tf.Graph) -> Costs:
    """Counts a graph, the functions that it calls and its loops included.

    Only operations that an output or a change of state depends on are counted: a gradient that
    nobody uses is not computed.

    Args:
      graph: of a concrete function, all of whose shapes are known.

    Raises:
      ValueError: if a loop's length or a shape is not known, or a condition chooses between graphs.
    """
    return sum((_operation_costs(operation, graph) for operation in _needed(graph)), NOTHING)


def _needed(graph: tf.Graph) -> Iterable[tf.Operation]:
    """The operations that the outputs and the changes of state depend on."""
    found: dict[str, tf.Operation] = {}
    waiting = collections.deque(tensor.op for tensor in graph.outputs)
    waiting.extend(op for op in graph.get_operations() if _changes_state(op))
    while waiting:
        operation = waiting.popleft()
        if operation.name not in found:
            found[operation.name] = operation
            waiting.extend(tensor.op for tensor in operation.inputs)
    return found.values()


def _changes_state(operation: tf.Operation) -> bool:
    return operation.type.startswith("Assign") or operation.type in (_ADAM, "While", *_CALLS[1:])


def _operation_costs(operation: tf.Operation, graph: tf.Graph) -> Costs:
    kind = operation.type
    if kind in _CALLS:
        return graph_costs(_function(graph, operation, "f"))
    if kind in _LOOPS:
        return graph_costs(_function(graph, operation, "body")).times(_rounds(operation))
    if kind in ("If", "StatelessIf", "Case"):
        raise ValueError(f"{operation.name} chooses between graphs: which, is not known")
    if kind in _FREE:
        return NOTHING
    if kind == _ADAM:
        # The gradient is read, the variable and both moments behind handles are read and written.
        return Costs(1.0, 0.0, 7.0 * _bytes(operation.inputs[-1]))
    moved = sum(map(_bytes, [*operation.inputs, *operation.outputs]))
    return Costs(1.0, _flops(operation), moved)


def _function(graph: tf.Graph, operation: tf.Operation, name: str) -> tf.Graph:
    return graph._get_function(operation.get_attr(name).name).graph


def _rounds(loop: tf.Operation) -> int:
    """How often a loop goes round: its `maximum_iterations`, which has to be given."""
    most = tf.get_static_value(loop.inputs[1])
    if most is None or most < 0:
        raise ValueError(f"{loop.name} does not say how often it goes round")
    return int(most)


def _flops(operation: tf.Operation) -> float:
    if not operation.outputs:
        return 0.0
    inputs, output = operation.inputs, operation.outputs[0]
    # Each pixel of the smaller image meets every weight of the kernel once.
    match operation.type:
        case "Conv2D":
            return 2.0 * _size(inputs[1]) * _size(output) / output.shape[-1]
        case "Conv2DBackpropInput":
            return 2.0 * _size(inputs[1]) * _size(inputs[2]) / inputs[2].shape[-1]
        case "Conv2DBackpropFilter":
            return 2.0 * _size(output) * _size(inputs[2]) / inputs[2].shape[-1]
        case "MatMul" | "BatchMatMulV2":
            rows = "transpose_a" if operation.type == "MatMul" else "adj_x"
            inner = inputs[0].shape[-2 if operation.get_attr(rows) else -1]
            return 2.0 * _size(output) * inner
        case _:
            return 0.0


def _size(tensor: tf.Tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has a shape that is not known: {tensor.shape}")
    return math.prod(tensor.shape)


def _bytes(tensor: tf.Tensor) -> int:
    """Of a tensor; handles and lists of tensors hold none themselves."""
    if tensor.dtype in (tf.resource, tf.variant, tf.string) or not tensor.shape.is_fully_defined():
        return 0
    return _size(tensor) * tensor.dtype.size
