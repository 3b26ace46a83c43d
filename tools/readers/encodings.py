"""Small images in many encodings, made up, of odd sizes."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

_WIDTH, _HEIGHT = 50, 33


def encodings() -> dict[str, bytes]:
    """The content of files by what is special about them."""
    colour = Image.fromarray(_picture(_HEIGHT, _WIDTH, 3))
    tall = Image.fromarray(_picture(61, _HEIGHT, 3))
    clear = Image.fromarray(_picture(_HEIGHT, _WIDTH, 4))
    large = Image.fromarray(_picture(600, 431, 3))
    indexed = colour.quantize(40)
    return {
        **_jpeg(colour, tall, large),
        **_png(colour, tall, clear, indexed),
        **_other(colour, clear, indexed),
        **_refused(colour, large),
    }


def _jpeg(colour: Image.Image, tall: Image.Image, large: Image.Image) -> dict[str, bytes]:
    turned = {
        f"JPEG, EXIF orientation {number}": _encoded(colour, "JPEG", exif=_exif(number))
        for number in (2, 3, 5, 6, 8)
    }
    return {
        "JPEG 4:4:4": _encoded(colour, "JPEG", quality=80, subsampling=0),
        "JPEG 4:2:2": _encoded(colour, "JPEG", quality=80, subsampling=1),
        "JPEG 4:2:0": _encoded(colour, "JPEG", quality=80, subsampling=2),
        "JPEG, tall": _encoded(tall, "JPEG"),
        "JPEG, progressive": _encoded(colour, "JPEG", progressive=True),
        "JPEG, RGB without conversion": _encoded(colour, "JPEG", keep_rgb=True),
        "JPEG, grayscale": _encoded(colour.convert("L"), "JPEG"),
        "JPEG, CMYK": _encoded(colour.convert("CMYK"), "JPEG"),
        "JPEG, large: decoded at an eighth": _encoded(large, "JPEG"),
        **turned,
    }


def _png(
    colour: Image.Image, tall: Image.Image, clear: Image.Image, indexed: Image.Image
) -> dict[str, bytes]:
    def animated() -> bytes:
        return _encoded(clear, "PNG", save_all=True, append_images=[clear.rotate(90)])

    return {
        "PNG, RGB": _encoded(colour, "PNG"),
        "PNG, tall": _encoded(tall, "PNG"),
        "PNG, RGB and opacity": _encoded(clear, "PNG"),
        "PNG, grayscale": _encoded(colour.convert("L"), "PNG"),
        "PNG, grayscale and opacity": _encoded(clear.convert("LA"), "PNG"),
        "PNG, one transparent level": _encoded(colour.convert("L"), "PNG", transparency=100),
        "PNG, 1 bit": _encoded(colour.convert("1"), "PNG"),
        "PNG, grayscale of 4 bits, one transparent level": _raw_png(4, 0, 20, transparent=5),
        "PNG, grayscale of 16 bits": _raw_png(16, 0, 80),
        "PNG, RGB of 16 bits": _raw_png(16, 2, 240),
        "PNG, RGB and opacity of 16 bits": _raw_png(16, 6, 320),
        "PNG, palette": _encoded(indexed, "PNG"),
        "PNG, palette of 4 bits": _encoded(colour.quantize(12), "PNG", bits=4),
        "PNG, palette, one transparent colour": _encoded(indexed, "PNG", transparency=3),
        "PNG, palette with opacities": _encoded(
            indexed, "PNG", transparency=bytes(range(0, 240, 6))
        ),
        "PNG, EXIF orientation 6": _encoded(colour, "PNG", exif=_exif(6)),
        "PNG, animated": animated(),
    }


def _other(colour: Image.Image, clear: Image.Image, indexed: Image.Image) -> dict[str, bytes]:
    second = [colour.rotate(90)]
    return {
        "GIF": _encoded(indexed, "GIF"),
        "GIF, transparent": _encoded(indexed, "GIF", transparency=3),
        "GIF, frame smaller than the picture": _in_canvas(_encoded(indexed, "GIF"), 70, 66),
        "GIF, animated": _encoded(colour, "GIF", save_all=True, append_images=second),
        "BMP, 24 bits": _encoded(colour, "BMP"),
        "BMP, 32 bits": _encoded(clear, "BMP"),
        "BMP, palette": _encoded(indexed, "BMP"),
        "BMP, 1 bit": _encoded(colour.convert("1"), "BMP"),
        "WebP": _encoded(colour, "WEBP"),
        "WebP, lossless, opacity": _encoded(clear, "WEBP", lossless=True),
        "WebP, EXIF orientation 6": _encoded(colour, "WEBP", exif=_exif(6)),
        "WebP, animated": _encoded(
            clear, "WEBP", save_all=True, append_images=[clear.rotate(90)], duration=100
        ),
    }


def _refused(colour: Image.Image, large: Image.Image) -> dict[str, bytes]:
    return {
        "TIFF": _encoded(colour, "TIFF"),
        "PPM": _encoded(colour, "PPM"),
        "TGA": _encoded(colour, "TGA"),
        "ICO": _encoded(colour, "ICO"),
        "JPEG, cut short": _encoded(large, "JPEG")[:-1000],
        "PNG, cut short": _encoded(colour, "PNG")[:-100],
        "GIF, cut short": _encoded(colour, "GIF")[:-100],
        "BMP, cut short": _encoded(colour, "BMP")[:-100],
        "WebP, cut short": _encoded(colour, "WEBP")[:-100],
        "GIF, a head that claims 9,000 x 9,000": _in_canvas(_encoded(colour, "GIF"), 9000, 9000),
        "text": b"not an image",
    }


def _picture(height: int, width: int, channels: int) -> np.ndarray:
    """Waves and some noise: uint8 [H, W, C]."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    phases = 3.0 * np.arange(channels)
    waves = np.sin(9.0 * x[..., None] + phases) + np.cos(7.0 * y[..., None] * (1.0 + phases))
    noise = np.random.default_rng(0).normal(0.0, 8.0, waves.shape)
    return np.clip((waves + 2.0) * 58.0 + noise, 0.0, 255.0).astype(np.uint8)


def _encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _raw_png(depth: int, kind: int, row_bytes: int, transparent: int | None = None) -> bytes:
    """A PNG file of random levels, of forms that Pillow does not write."""
    rows = np.random.default_rng(0).integers(0, 256, [_HEIGHT, row_bytes], dtype=np.uint8)
    samples = {0: 1, 2: 3, 6: 4}[kind]
    head = struct.pack(
        ">IIBBBBB", 8 * row_bytes // (depth * samples), _HEIGHT, depth, kind, 0, 0, 0
    )
    chunks: Sequence[tuple[bytes, bytes]] = [
        (b"IHDR", head),
        *([] if transparent is None else [(b"tRNS", struct.pack(">H", transparent))]),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _in_canvas(gif: bytes, width: int, height: int) -> bytes:
    """A GIF file whose frame is a part of a larger picture."""
    content = bytearray(gif)
    content[6:10] = struct.pack("<HH", width, height)
    frame = content.index(b"\x2c\0\0\0\0")
    content[frame + 1 : frame + 5] = struct.pack("<HH", 7, 9)
    return bytes(content)
