"""Image files of a few bytes that claim to be as large as their format can say, or nearly."""

import io
import struct
import zlib

from PIL import Image

SIDE = 60_000


def _saved(kind, mode="RGB", **how):
    file = io.BytesIO()
    Image.new(mode, (16, 16)).save(file, kind, **how)
    return bytearray(file.getvalue())


def png(width, height, depth=8, kind=2):
    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def jpeg(width, height, progressive=False):
    content = _saved("JPEG", progressive=progressive)
    at = content.find(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def gif(width, height, frame=None):
    content = _saved("GIF", "P")
    content[6:10] = struct.pack("<HH", width, height)
    at = content.find(b",", 13)
    content[at + 5 : at + 9] = struct.pack("<HH", *(frame or (width, height)))
    return bytes(content)


def bmp(width, height, mode="RGB"):
    content = _saved("BMP", mode)
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def webp(width, height, lossless=False):
    content = _saved("WEBP", lossless=lossless)
    if lossless:
        rest = struct.unpack("<I", content[21:25])[0] >> 28 << 28
        content[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14 | rest)
    else:
        content[26:30] = struct.pack("<HH", width, height)
    return bytes(content)


def webp_canvas(width, height, animated=False):
    picture = bytes(_saved("WEBP")[12:])
    sides = b"".join(struct.pack("<I", side - 1)[:3] for side in (width, height))
    head = b"VP8X" + struct.pack("<I", 10) + bytes([2 if animated else 0, 0, 0, 0]) + sides
    if animated:
        frame = bytes(6) + bytes([15, 0, 0, 15, 0, 0, 100, 0, 0, 0]) + picture
        animation = b"ANIM" + struct.pack("<IIH", 6, 0, 0)
        picture = animation + b"ANMF" + struct.pack("<I", len(frame)) + frame
    content = head + picture
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


def tiff(width, height):
    content = bytes(_saved("TIFF"))
    for tag, side in ((256, width), (257, height)):
        for entry in (struct.pack("<HHII", tag, 4, 1, 16), struct.pack("<HHIHH", tag, 3, 1, 16, 0)):
            content = content.replace(entry, struct.pack("<HHII", tag, 4, 1, side))
    return content


# By name: of the formats that are read, and of one that is not.
BOMBS = {
    "png": png(SIDE, SIDE),
    "png of 1 bit": png(SIDE, SIDE, 1, 0),
    "png of 16 bits": png(SIDE, SIDE, 16, 6),
    "png beyond 64 bits": png(2**31 - 1, 2**31 - 1),
    "png just too large": png(2**13 + 1, 2**13),
    "jpeg": jpeg(SIDE, SIDE),
    "progressive jpeg": jpeg(SIDE, SIDE, True),
    "gif": gif(SIDE, SIDE),
    "gif in a frame": gif(16, 16, (SIDE, SIDE)),
    "gif around a frame": gif(SIDE, SIDE, (16, 16)),
    "bmp": bmp(SIDE, SIDE),
    "bmp from the top": bmp(SIDE, -SIDE),
    "bmp of 1 bit": bmp(SIDE, SIDE, "1"),
    "webp": webp(16383, 16383),
    "lossless webp": webp(16383, 16383, True),
    "webp canvas": webp_canvas(SIDE, SIDE),
    "animated webp": webp_canvas(SIDE, SIDE, True),
    "tiff": tiff(SIDE, SIDE),
}
