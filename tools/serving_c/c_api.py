"""TensorFlow's C API, as far as serving a SavedModel needs it, without TensorFlow's Python.

The functions are those of tensorflow/c/c_api.h, tf_tensor.h and tf_tstring.h, in the library
that the installed wheel carries.
"""

import contextlib
import ctypes
import functools
import importlib.util
import pathlib
from collections.abc import Iterator

import numpy as np

OK, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED = 0, 3, 5, 9, 12

STRING = "string"
# Of TensorFlow's types, those that these tests exchange: name, number.
DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, STRING: 7, "int64": 9, "bool": 10}
DTYPE_NAMES = {number: name for name, number in DTYPES.items()}
# sizeof(TF_TString)
STRING_SIZE = 24

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_DIMS = ctypes.POINTER(ctypes.c_int64)


class TensorFlowError(Exception):
    """What a TF_Status reports.

    Attributes:
      code: number of the status, the same as gRPC's: INVALID_ARGUMENT is 3.
      message: text of the status.
    """

    def __init__(self, code: int, message: str):
        super().__init__(f"status {code}: {message}")
        self.code = code
        self.message = message


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", _POINTER), ("length", _SIZE), ("deallocator", _POINTER))


class Output(ctypes.Structure):
    """TF_Output: a tensor of the graph."""

    _fields_ = (("operation", _POINTER), ("index", _INT))


_BUFFER, _OUTPUTS = ctypes.POINTER(Buffer), ctypes.POINTER(Output)
_TENSORS, _STRINGS = ctypes.POINTER(_POINTER), ctypes.POINTER(ctypes.c_char_p)
# What each function returns, then what it takes.
_PROTOTYPES = {
    "TF_NewStatus": (_POINTER,),
    "TF_DeleteStatus": (None, _POINTER),
    "TF_GetCode": (_INT, _POINTER),
    "TF_Message": (ctypes.c_char_p, _POINTER),
    "TF_NewBuffer": (_BUFFER,),
    "TF_NewBufferFromString": (_BUFFER, ctypes.c_char_p, _SIZE),
    "TF_DeleteBuffer": (None, _BUFFER),
    "TF_NewGraph": (_POINTER,),
    "TF_DeleteGraph": (None, _POINTER),
    "TF_GraphOperationByName": (_POINTER, _POINTER, ctypes.c_char_p),
    "TF_NewSessionOptions": (_POINTER,),
    "TF_DeleteSessionOptions": (None, _POINTER),
    "TF_LoadSessionFromSavedModel": (
        _POINTER, _POINTER, _BUFFER, ctypes.c_char_p, _STRINGS, _INT, _POINTER, _BUFFER, _POINTER,
    ),
    "TF_CloseSession": (None, _POINTER, _POINTER),
    "TF_DeleteSession": (None, _POINTER, _POINTER),
    "TF_SessionRun": (
        None, _POINTER, _BUFFER, _OUTPUTS, _TENSORS, _INT, _OUTPUTS, _TENSORS, _INT,
        _TENSORS, _INT, _BUFFER, _POINTER,
    ),
    "TF_AllocateTensor": (_POINTER, _INT, _DIMS, _INT, _SIZE),
    "TF_TensorFromProto": (None, _BUFFER, _POINTER, _POINTER),
    "TF_DeleteTensor": (None, _POINTER),
    "TF_TensorType": (_INT, _POINTER),
    "TF_NumDims": (_INT, _POINTER),
    "TF_Dim": (ctypes.c_int64, _POINTER, _INT),
    "TF_TensorByteSize": (_SIZE, _POINTER),
    "TF_TensorData": (_POINTER, _POINTER),
    "TF_StringInit": (None, _POINTER),
    "TF_StringCopy": (None, _POINTER, ctypes.c_char_p, _SIZE),
    "TF_StringGetDataPointer": (_POINTER, _POINTER),
    "TF_StringGetSize": (_SIZE, _POINTER),
    "TF_StringDealloc": (None, _POINTER),
}  # fmt: skip


@functools.cache
def library() -> ctypes.CDLL:
    """The C library of the installed wheel, found without importing the package."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("tensorflow is not installed")
    folder = pathlib.Path(spec.submodule_search_locations[0])
    found = ctypes.CDLL(str(next(folder.glob("libtensorflow_cc.so.*"))))
    for name, (result, *arguments) in _PROTOTYPES.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


@contextlib.contextmanager
def checked() -> Iterator[int]:
    """A TF_Status for one call; an error that the call puts into it is raised."""
    status = library().TF_NewStatus()
    try:
        yield status
        code = library().TF_GetCode(status)
        if code != OK:
            message = library().TF_Message(status).decode(errors="replace")
            raise TensorFlowError(code, message)
    finally:
        library().TF_DeleteStatus(status)


@contextlib.contextmanager
def tensor(value: np.ndarray | bytes) -> Iterator[int]:
    """A TF_Tensor for the time of a `with` block.

    Args:
      value: numpy array of one of DTYPES, strings as an object array of bytes; or bytes, a
        serialized TensorProto, which TensorFlow itself reads and checks.
    """
    if isinstance(value, bytes):
        with _parsed(value) as pointer:
            yield pointer
    elif value.dtype == object:
        with _strings(value) as pointer:
            yield pointer
    else:
        value = np.asarray(value, order="C")
        pointer = _allocate(value.dtype.name, value.shape, value.nbytes)
        try:
            ctypes.memmove(library().TF_TensorData(pointer), value.ctypes.data, value.nbytes)
            yield pointer
        finally:
            library().TF_DeleteTensor(pointer)


def to_array(pointer: int) -> np.ndarray:
    """Copies a TF_Tensor into a numpy array, strings into an object array of bytes."""
    number = library().TF_TensorType(pointer)
    if number not in DTYPE_NAMES:
        raise TensorFlowError(UNIMPLEMENTED, f"outputs of TensorFlow's type {number} are not read")
    dims = library().TF_NumDims(pointer)
    shape = [library().TF_Dim(pointer, axis) for axis in range(dims)]
    if DTYPE_NAMES[number] == STRING:
        array = np.empty(int(np.prod(shape)), object)
        for index, item in enumerate(_string_items(pointer, array.size)):
            size = library().TF_StringGetSize(item)
            data = library().TF_StringGetDataPointer(item)
            array[index] = ctypes.string_at(data, size)
        return array.reshape(shape)
    size = library().TF_TensorByteSize(pointer)
    content = ctypes.string_at(library().TF_TensorData(pointer), size) if size else b""
    return np.frombuffer(content, DTYPE_NAMES[number]).reshape(shape).copy()


def _allocate(dtype: str, shape: tuple[int, ...], size: int) -> int:
    if dtype not in DTYPES:
        raise TypeError(f"no tensors of type {dtype}; there are {', '.join(DTYPES)}")
    dims = (ctypes.c_int64 * len(shape))(*shape)
    return library().TF_AllocateTensor(DTYPES[dtype], dims, len(shape), size)


@contextlib.contextmanager
def _parsed(proto: bytes) -> Iterator[int]:
    buffer = library().TF_NewBufferFromString(proto, len(proto))
    pointer = _allocate("bool", (0,), 0)
    try:
        with checked() as status:
            library().TF_TensorFromProto(buffer, pointer, status)
        yield pointer
    finally:
        library().TF_DeleteTensor(pointer)
        library().TF_DeleteBuffer(buffer)


@contextlib.contextmanager
def _strings(array: np.ndarray) -> Iterator[int]:
    if not all(isinstance(item, bytes) for item in array.flat):
        raise TypeError("an array of strings must hold bytes")
    pointer = _allocate(STRING, array.shape, STRING_SIZE * array.size)
    items = _string_items(pointer, array.size)
    try:
        for item, content in zip(items, array.flat, strict=True):
            library().TF_StringInit(item)
            library().TF_StringCopy(item, content, len(content))
        yield pointer
    finally:
        # A tensor allocated through the C API does not free its strings by itself.
        for item in items:
            library().TF_StringDealloc(item)
        library().TF_DeleteTensor(pointer)


def _string_items(pointer: int, count: int) -> list[int]:
    start = library().TF_TensorData(pointer) if count else 0
    return [start + STRING_SIZE * index for index in range(count)]
