"""Encoded images to pixels within a graph, to the same pixels as `image_file` reads from a file."""

from robgan_tf.data.decoding.decode import FORMATS, decode_picture
from robgan_tf.data.decoding.resample import fit_square

__all__ = ["FORMATS", "decode_picture", "fit_square"]
