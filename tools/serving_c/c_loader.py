"""A SavedModel loaded and run by TensorFlow's C++ loader, the one TensorFlow Serving uses.

Nothing of TensorFlow's Python takes part: what only Python's loader understands fails here as it
would fail in a server. From the command line,

    python -m tools.serving_c.c_loader MODEL_DIR
    python -m tools.serving_c.c_loader MODEL_DIR SIGNATURE INPUTS.npz OUTPUTS.npz ...

prints the signatures as JSON, or runs one signature after another on the arrays of a file. An
error of TensorFlow ends it with status 1 and is printed as JSON with its code and message.
"""

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from robgan_tf.typing import PathLike
from tools.serving_c import c_api, wire
from tools.serving_c.c_api import FAILED_PRECONDITION, INVALID_ARGUMENT, TensorFlowError, library

TAG = b"serve"
# Numbers of the fields of TensorFlow's messages that are read here.
SIGNATURES_OF_META_GRAPH = 5
INPUTS_OF_SIGNATURE, OUTPUTS_OF_SIGNATURE = 1, 2
NAME_OF_TENSOR, DTYPE_OF_TENSOR, SHAPE_OF_TENSOR = 1, 2, 3
DIMS_OF_SHAPE, SHAPE_IS_UNKNOWN = 2, 3
SIZE_OF_DIM = 1
# The loader runs this one itself.
INITIALIZER = "__saved_model_init_op"


class TensorInfo(NamedTuple):
    """A tensor of a signature.

    Attributes:
      name: the tensor's name in the graph, such as "StatefulPartitionedCall:0".
      dtype: one of `c_api.DTYPES`, or TensorFlow's number of any other type as a string.
      shape: tuple with None for sizes that are left open; None where the rank is.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


class Signature(NamedTuple):
    """The inputs and outputs of a signature: dictionaries from name to TensorInfo."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


class LoadedModel:
    """A SavedModel in memory. Several threads may run it at once.

    Attributes:
      signatures: dictionary from name to Signature.
      meta_graph: bytes of the model's MetaGraphDef.
    """

    def __init__(self, path: PathLike):
        """Loads the model, or raises the loader's TensorFlowError.

        Args:
          path: the folder that holds saved_model.pb.
        """
        self._graph = library().TF_NewGraph()
        try:
            self._session, self.meta_graph = _load(self._graph, path)
        except TensorFlowError:
            library().TF_DeleteGraph(self._graph)
            raise
        self.signatures = read_signatures(self.meta_graph)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model, which cannot be run any more."""
        with c_api.checked() as status:
            library().TF_CloseSession(self._session, status)
        with c_api.checked() as status:
            library().TF_DeleteSession(self._session, status)
        library().TF_DeleteGraph(self._graph)

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray | bytes],
        outputs: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature once.

        As in TensorFlow Serving the names of the inputs are checked, and types and shapes are
        left to the graph.

        Args:
          signature: name of the signature.
          inputs: dictionary from the name of every input to what `c_api.tensor` takes: a numpy
            array, or a serialized TensorProto.
          outputs: names of the outputs to compute; all of them if left out.

        Returns:
          Dictionary from name to numpy array; strings are object arrays of bytes.

        Raises:
          TensorFlowError: the call is wrong or TensorFlow reported an error.
        """
        wanted = self._signature(signature, inputs, outputs)
        with contextlib.ExitStack() as stack:
            values = [stack.enter_context(c_api.tensor(inputs[name])) for name in wanted.inputs]
            # Outputs may share memory with inputs: they are copied before the inputs are freed.
            arrays = self._run(wanted.inputs.values(), values, wanted.outputs.values())
        return dict(zip(wanted.outputs, arrays, strict=True))

    def _signature(
        self, name: str, inputs: Mapping[str, object], outputs: Sequence[str] | None
    ) -> Signature:
        """The signature of a call, with the wanted outputs only."""
        if name not in self.signatures:
            raise TensorFlowError(FAILED_PRECONDITION, f"no serving signature {name!r}")
        found = self.signatures[name]
        if missing := found.inputs.keys() - inputs.keys():
            raise TensorFlowError(INVALID_ARGUMENT, f"inputs missing: {_listed(missing)}")
        if unknown := inputs.keys() - found.inputs.keys():
            raise TensorFlowError(INVALID_ARGUMENT, f"no such inputs: {_listed(unknown)}")
        if not outputs:
            return found
        if unknown := set(outputs) - found.outputs.keys():
            raise TensorFlowError(INVALID_ARGUMENT, f"no such outputs: {_listed(unknown)}")
        return Signature(found.inputs, {name: found.outputs[name] for name in outputs})

    def _run(
        self, inputs: Collection[TensorInfo], values: list[int], outputs: Collection[TensorInfo]
    ) -> list[np.ndarray]:
        feeds, fetches = self._places(inputs), self._places(outputs)
        given = (ctypes.c_void_p * len(feeds))(*values)
        results = (ctypes.c_void_p * len(fetches))()
        try:
            with c_api.checked() as status:
                library().TF_SessionRun(
                    self._session, None, feeds, given, len(feeds), fetches, results, len(fetches),
                    None, 0, None, status,
                )  # fmt: skip
            return [c_api.to_array(result) for result in results if result]
        finally:
            for result in filter(None, results):
                library().TF_DeleteTensor(result)

    def _places(self, infos: Collection[TensorInfo]) -> ctypes.Array:
        return (c_api.Output * len(infos))(*(self._place(info.name) for info in infos))

    def _place(self, tensor: str) -> c_api.Output:
        operation, _, index = tensor.rpartition(":")
        found = library().TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise TensorFlowError(INVALID_ARGUMENT, f"the graph has no operation {operation!r}")
        return c_api.Output(found, int(index))


def read_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """Reads the signatures out of the bytes of a MetaGraphDef."""
    found = wire.mapping(meta_graph, SIGNATURES_OF_META_GRAPH)
    return {
        name: Signature(
            _tensor_infos(signature, INPUTS_OF_SIGNATURE),
            _tensor_infos(signature, OUTPUTS_OF_SIGNATURE),
        )
        for name, signature in sorted(found.items())
        if name != INITIALIZER
    }


def _load(graph: int, path: PathLike) -> tuple[int, bytes]:
    options, meta_graph = library().TF_NewSessionOptions(), library().TF_NewBuffer()
    try:
        tags = (ctypes.c_char_p * 1)(TAG)
        with c_api.checked() as status:
            session = library().TF_LoadSessionFromSavedModel(
                options, None, os.fsencode(path), tags, 1, graph, meta_graph, status
            )
        content = meta_graph.contents
        return session, ctypes.string_at(content.data, content.length)
    finally:
        library().TF_DeleteBuffer(meta_graph)
        library().TF_DeleteSessionOptions(options)


def _tensor_infos(signature: bytes, number: int) -> dict[str, TensorInfo]:
    infos = wire.mapping(signature, number)
    return {name: _tensor_info(info) for name, info in sorted(infos.items())}


def _tensor_info(info: bytes) -> TensorInfo:
    number = wire.single(info, DTYPE_OF_TENSOR, 0)
    return TensorInfo(
        name=wire.single(info, NAME_OF_TENSOR, b"").decode(),
        dtype=c_api.DTYPE_NAMES.get(number, str(number)),
        shape=_shape(wire.single(info, SHAPE_OF_TENSOR, b"")),
    )


def _shape(message: bytes) -> tuple[int | None, ...] | None:
    if wire.single(message, SHAPE_IS_UNKNOWN, 0):
        return None
    sizes = [
        wire.signed(wire.single(dim, SIZE_OF_DIM, 0)) for dim in wire.every(message, DIMS_OF_SHAPE)
    ]
    return tuple(None if size < 0 else size for size in sizes)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _run_files(model: LoadedModel, calls: Sequence[str]) -> None:
    while calls:
        signature, inputs, outputs, *calls = calls
        # Arrays of strings are pickled; the files are the tests' own.
        with np.load(inputs, allow_pickle=True) as arrays:
            results: dict[str, Any] = dict(model.run(signature, dict(arrays)))
        np.savez(outputs, **results)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns the exit status."""
    if len(arguments) % 3 != 1:
        print(__doc__, file=sys.stderr)
        return 2
    path, *calls = arguments
    try:
        with LoadedModel(path) as model:
            _run_files(model, calls)
            if not calls:
                print(json.dumps({name: each._asdict() for name, each in model.signatures.items()}))
    except TensorFlowError as error:
        print(json.dumps({"code": error.code, "message": error.message}))
        return 1
    assert "tensorflow" not in sys.modules
    return 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    sys.exit(main(sys.argv[1:]))
