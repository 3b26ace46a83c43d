"""TensorFlow's C API by ctypes: exported models as servers load them, without its Python."""
