"""Requests and responses of TensorFlow Serving's predict call over REST, as numpy arrays.

Written after the description of the REST API and the behaviour of the real server's conversion:
what it refuses is refused, and what it lets through (an integer that does not fit into uint8
wraps around) goes through.
"""

import base64
import binascii
import itertools
import json
from typing import NamedTuple

import numpy as np

from tools.serving_c.c_api import INVALID_ARGUMENT, STRING, UNIMPLEMENTED, TensorFlowError

DEFAULT_SIGNATURE = "serving_default"
ROW, COLUMNAR = "instances", "inputs"
BASE64_KEY = "b64"
BYTES_SUFFIX = "_bytes"
# What the JSON numbers of an integer input are held in before they become the input's type.
INTEGERS = {"int32": np.int32, "uint8": np.int32, "int64": np.int64}


class Request(NamedTuple):
    """A parsed request.

    Attributes:
      signature: name of the signature.
      row: whether the response is to be in row form.
      inputs: dictionary from name to numpy array.
    """

    signature: str
    row: bool
    inputs: dict[str, np.ndarray]


def parse(body, signatures):
    """Parses the body of a request.

    Args:
      body: bytes.
      signatures: a LoadedModel's.

    Returns:
      A Request.

    Raises:
      TensorFlowError: INVALID_ARGUMENT, with what is wrong.
    """
    document = _document(body)
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise _invalid("'signature_name' must be a string")
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        raise _invalid(f'Serving signature name: "{name}" not found in signature def')
    infos = signatures[name].inputs
    if not infos:
        raise _invalid(f"signature {name!r} has no inputs")
    given = [key for key in (ROW, COLUMNAR) if key in document]
    if len(given) != 1:
        raise _invalid(f"expected exactly one of '{ROW}' and '{COLUMNAR}'")
    arrange = _from_rows if given == [ROW] else _from_columns
    values = arrange(document[given[0]], list(infos))
    arrays = {key: to_array(values[key], infos[key].dtype, key) for key in infos}
    return Request(name, given == [ROW], arrays)


def write(outputs, row):
    """Writes a response.

    Args:
      outputs: dictionary from name to numpy array.
      row: whether in row form.

    Returns:
      bytes of JSON. Strings that are not UTF-8 are written as they are, so that the JSON is not
      either; outputs named *_bytes avoid that.
    """
    if row:
        _check_batch(outputs)
    values = {name: _to_json(name, array) for name, array in sorted(outputs.items())}
    if len(values) == 1:
        (result,) = values.values()
    elif row:
        rows = zip(*values.values(), strict=True)
        result = [dict(zip(values, each, strict=True)) for each in rows]
    else:
        result = values
    document = {"predictions" if row else "outputs": result}
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")


def to_array(value, dtype, name):
    """Converts a value of JSON, nested lists or a single one, into an array of an input's type."""
    leaves, shape = _flatten(value, name)
    kinds = set(map(type, leaves))
    if dtype == STRING:
        array = np.empty(len(leaves), object)
        array[:] = [_string(leaf, name) for leaf in leaves]
    elif dtype == "bool":
        _check_kinds(kinds, {bool}, dtype, name)
        array = np.array(leaves, np.bool_)
    elif dtype in INTEGERS:
        _check_kinds(kinds, {int}, dtype, name)
        array = _integers(leaves, INTEGERS[dtype], name).astype(dtype)
    elif dtype in ("float32", "float64"):
        _check_kinds(kinds, {int, float}, dtype, name)
        array = _floats(leaves, np.dtype(dtype), name)
    else:
        raise TensorFlowError(UNIMPLEMENTED, f"input {name}: JSON to type {dtype}")
    return array.reshape(shape)


def _document(body):
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise _invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise _invalid("JSON Value: is not object")
    return document


def _from_rows(rows, names):
    if not isinstance(rows, list) or not rows:
        raise _invalid(f"'{ROW}' must be a list with at least one element")
    if not _has_names(rows[0]):
        if len(names) > 1:
            raise _invalid(f"'{ROW}' must be a list of objects, as there are several inputs")
        if any(map(_has_names, rows)):
            raise _invalid(f"'{ROW}' mixes values and objects")
        return {names[0]: rows}
    for position, each in enumerate(rows):
        if not _has_names(each) or each.keys() != set(names):
            raise _invalid(f"element {position} of '{ROW}' must have the keys {', '.join(names)}")
    return {name: [each[name] for each in rows] for name in names}


def _from_columns(columns, names):
    if not _has_names(columns):
        if len(names) > 1:
            raise _invalid(f"'{COLUMNAR}' must be an object, as there are several inputs")
        return {names[0]: columns}
    if missing := set(names) - columns.keys():
        raise _invalid(f"missing in '{COLUMNAR}': {', '.join(sorted(missing))}")
    return columns


def _has_names(value):
    """Whether a value names inputs, rather than being the value of one."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value):
    return value.keys() == {BASE64_KEY} and isinstance(value[BASE64_KEY], str)


def _flatten(value, name):
    """Returns the leaves of nested lists, and the shape that the lists give them."""
    leaves, shape = [value], []
    while leaves and isinstance(leaves[0], list):
        sizes = {len(each) if isinstance(each, list) else None for each in leaves}
        if len(sizes) > 1:
            raise _invalid(f"input {name}: lists of unequal size at level {len(shape)}")
        shape.append(len(leaves[0]))
        leaves = list(itertools.chain.from_iterable(leaves))
    if list in map(type, leaves):
        raise _invalid(f"input {name}: lists and values mixed at level {len(shape)}")
    return leaves, shape


def _check_kinds(kinds, allowed, dtype, name):
    if not kinds <= allowed:
        found = ", ".join(sorted(kind.__name__ for kind in kinds - allowed))
        raise _invalid(f"input {name}: JSON Value of type {found} is not of expected type {dtype}")


def _integers(leaves, dtype, name):
    bounds = np.iinfo(dtype)
    if leaves and not bounds.min <= min(leaves) <= max(leaves) <= bounds.max:
        raise _invalid(f"input {name}: an integer is beyond {bounds.dtype}")
    return np.array(leaves, dtype)


def _floats(leaves, dtype, name):
    """An array of floating-point numbers; those that the type cannot hold are refused."""
    limits = np.finfo(dtype)
    largest_integer = 2 ** (limits.nmant + 1) - 1
    if any(type(leaf) is int and abs(leaf) > largest_integer for leaf in leaves):
        raise _invalid(f"input {name}: cannot convert an integer to {dtype} without loss")
    array = np.array(leaves, np.float64)
    if np.any(np.isfinite(array) & (np.abs(array) > limits.max)):
        raise _invalid(f"input {name}: cannot convert a number to {dtype} without loss")
    return array.astype(dtype)


def _string(leaf, name):
    if isinstance(leaf, str):
        return leaf.encode("utf-8", "surrogatepass")
    if not isinstance(leaf, dict):
        raise _invalid(f"input {name}: JSON Value {leaf!r} is not of expected type string")
    if not _is_base64(leaf):
        raise _invalid(f"input {name}: an object is not formatted correctly for base64 data")
    try:
        return base64.b64decode(leaf[BASE64_KEY], validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(f"input {name}: unable to base64 decode") from None


def _check_batch(outputs):
    for name, array in outputs.items():
        if not array.ndim:
            raise _invalid(f"Tensor name: {name} has no shape information")
    if len({len(array) for array in outputs.values()}) > 1:
        sizes = ", ".join(f"{name} {len(array)}" for name, array in outputs.items())
        raise _invalid(f"inconsistent batch size: {sizes}")


def _to_json(name, array):
    if array.dtype == object:
        convert = _base64 if name.endswith(BYTES_SUFFIX) else _text
    elif array.dtype == np.float32:
        # The shortest decimal that means this float32, which is what the real server writes.
        convert = _shortest
    else:
        return array.tolist()
    values = np.empty(array.size, object)
    values[:] = [convert(each) for each in array.ravel()]
    return values.reshape(array.shape).tolist()


def _base64(content):
    return {BASE64_KEY: base64.b64encode(content).decode()}


def _text(content):
    return content.decode("utf-8", "surrogateescape")


def _shortest(number):
    return float(str(number))


def _invalid(message):
    return TensorFlowError(INVALID_ARGUMENT, message)
