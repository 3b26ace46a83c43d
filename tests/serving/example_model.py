"""SavedModels small enough for a test, with a signature for each thing that can be exchanged."""

import tensorflow as tf


def _spec(name, dtype, shape=(None,)):
    return tf.TensorSpec(shape, dtype, name)


class Example(tf.Module):
    """Raw variables and signatures over them."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.random.stateless_normal([3, 2], [1, 2]))
        self.bias = tf.Variable([0.5, -0.25])

    @tf.function(input_signature=[_spec("x", tf.float32, (None, 3))])
    def affine(self, x):
        return {"y": tf.linalg.matmul(x, self.weight) + self.bias}

    @tf.function(
        input_signature=[
            _spec("double", tf.float64),
            _spec("int", tf.int32),
            _spec("long", tf.int64),
            _spec("pixel", tf.uint8, (None, 2, 2, 1)),
            _spec("flag", tf.bool),
        ]
    )
    def types(self, double, int, long, pixel, flag):
        return {
            "double": tf.sin(double),
            "int": int + 1,
            "long": long * 2**33,
            "pixel": 255 - pixel,
            "flag": tf.logical_not(flag),
        }

    @tf.function(input_signature=[_spec("text", tf.string)])
    def strings(self, text):
        return {
            "same": text,
            "twice_bytes": text + text,
            "length": tf.strings.length(text),
        }

    @tf.function(input_signature=[_spec("count", tf.int32, ())])
    def counted(self, count):
        tf.debugging.assert_less(count, 4, message="count must be below 4")
        return {"total": tf.range(count), "count": count}

    @tf.function(input_signature=[_spec("x", tf.float32)])
    def logarithm(self, x):
        return {"log": tf.math.log(x), "log_double": tf.math.log(tf.cast(x, tf.float64))}


NAMES = ("affine", "types", "strings", "counted", "logarithm")


def save(folder):
    """Saves an Example and returns it; signature "serving_default" is "affine"."""
    example = Example()
    signatures = {name: getattr(example, name) for name in NAMES}
    tf.saved_model.save(
        example, str(folder), signatures={"serving_default": example.affine, **signatures}
    )
    return example


def save_keras_in_module(folder):
    """Saves a Module that holds a Keras 3 model, which only Python can load."""
    import keras

    module = tf.Module()
    module.model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    call = tf.function(module.model, input_signature=[_spec("x", tf.float32, (None, 3))])
    tf.saved_model.save(module, str(folder), signatures=call)
