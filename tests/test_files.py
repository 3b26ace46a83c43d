"""npz files of strangers: nothing in them is run, and what cannot be read is one line."""

import pickle
import struct
import zipfile

import numpy as np
import pytest

from robgan_tf.files import read_npz


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, marker):
        self._marker = str(marker)

    def __reduce__(self):
        return open, (self._marker, "w")


def npy(shape, content=b"", descr="|u1", header=None):
    """An npy file whose header may be anything."""
    text = header or repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + content


def npz(path, parts, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def refused(path):
    with pytest.raises(ValueError) as error:
        read_npz(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


def test_nothing_is_unpickled(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "a.npz"
    payload = Payload(marker)
    np.savez(path, image=np.array([payload], dtype=object))
    assert "pickled objects, which are programs and not read" in refused(path)
    npz(path, {"image.npy": npy((1,), pickle.dumps(payload), "|O")})
    assert "pickled objects" in refused(path)
    path.write_bytes(pickle.dumps(payload))
    assert "pickled objects" in refused(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()  # So the payload is one.


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (npy((1 << 62,)), "Unable to allocate"),
        (npy((1 << 40, 1 << 40)), "cannot reshape"),
        (npy((-1,)), "negative dimensions"),
        (npy((1.5,)), "shape is not valid"),
        (npy((300,), b"abc"), "expected 300 bytes got 3"),
        (npy(0, header=b"{'descr': " + b"(" * 3000 + b")" * 3000 + b"}"), "Cannot parse header"),
        (npy(0, header=b"{'descr': '" + b"x" * 70000 + b"'}"), "Header info length"),
        (b"hello", "its part 'image' is no array"),
        (b"", "its part 'image' is no array"),
    ],
)
def test_parts_that_are_no_arrays(part, message, tmp_path):
    assert message in refused(npz(tmp_path / "a.npz", {"image.npy": part}))


def test_archives_that_are_none(tmp_path):
    path = tmp_path / "a.npz"
    assert "No such file" in refused(path)
    assert "Is a directory" in refused(tmp_path)
    for content in (b"", b"text", b"PK\3\4", b"\x93NUMPY"):
        path.write_bytes(content)
        refused(path)
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert "is no npz" in refused(tmp_path / "a.npy")
    npz(path, {"image.npy": npy((3,), b"abc")})
    whole = path.read_bytes()
    entry = whole.find(b"PK\1\2")
    for offset, value, message in ((6, 1, "encrypted"), (8, 99, "compression method")):
        content = bytearray(whole)
        content[offset] = content[entry + offset + 2] = value
        path.write_bytes(content)
        assert message in refused(path)


def test_a_part_that_would_fill_memory(tmp_path):
    path = tmp_path / "a.npz"
    npz(path, {"image.npy": npy((2**30 + 1,), bytes(2**20))})
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2") + 24
    content[at : at + 4] = struct.pack("<I", 2**30 + 1)
    path.write_bytes(content)
    assert path.stat().st_size < 2**20
    assert "would unpack to 1073741825" in refused(path)


def test_arrays_come_back(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", image=np.zeros([50, 32, 32, 3], np.uint8), label=[1, 2])
    arrays = read_npz(tmp_path / "a.npz")
    assert {name: array.shape for name, array in arrays.items()} == {
        "image": (50, 32, 32, 3),
        "label": (2,),
    }
    assert list(read_npz(tmp_path / "a.npz", ["label"])) == ["label"]
    with pytest.raises(ValueError, match="it lacks the array 'other'"):
        read_npz(tmp_path / "a.npz", ["other"])
