import concurrent.futures
import pathlib
import re
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf import keras_versions
from robgan_tf.keras_versions import at_values, call_with_value, variable_dtype, variable_path
from robgan_tf.models import ResNetDiscriminator
from tests.skipped_on_keras_2 import REASONS

ROOT = pathlib.Path(__file__).parents[1]
# Of Keras 3 alone, or of Keras 2 alone.
ONE_KERAS_ONLY = re.compile(
    r"keras\.(Variable|config|ops|StatelessScope|dtype_policies|Operation|random|__version__"
    r"|backend\.(?!floatx|set_floatx)\w+|mixed_precision\.(?!global_policy|set_global_policy)\w+)"
)


def test_nothing_else_depends_on_the_version_of_keras():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / "robgan_tf").rglob("*.py"))
        if path.name != "keras_versions.py"
        for line in path.read_text().splitlines()
        for match in ONE_KERAS_ONLY.finditer(line)
        if not line.lstrip().startswith("#")
    ]
    assert found == []
    assert ONE_KERAS_ONLY.search("keras.Variable(1.0)")
    assert ONE_KERAS_ONLY.search("keras.config.floatx()")
    assert not ONE_KERAS_ONLY.search("keras.backend.floatx()")


def test_each_skip_has_its_reason_and_exists():
    for name, reason in REASONS.items():
        path, _, test = name.partition("::")
        assert len(reason) > 10
        assert f"def {test}(" in (ROOT / path).read_text() if test else (ROOT / path).exists()
        folder = path.split("/")[1]
        assert folder not in ("layers", "models", "training", "attacks", "serving")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("float64", "float64"), ("mixed_bfloat16", "float32"), (None, "float32")],
)
def test_the_type_of_variables(policy, expected):
    assert variable_dtype(policy) == expected
    layer = keras.layers.Dense(1, dtype=policy)
    assert variable_dtype(layer.dtype_policy) == expected


def test_paths_are_those_of_the_layers():
    model = ResNetDiscriminator(resolution=8, base_width=2, widths="1-, 2")
    model.build()
    paths = [variable_path(variable) for variable in model.variables]
    assert len(set(paths)) == len(paths)
    for start, end in (
        ("discriminator/block_1/convolution_1/", "/kernel"),
        ("discriminator/block_1/convolution_1", "/vector_u"),
        ("discriminator/class_head/", "/bias"),
    ):
        assert any(path.startswith(start) and path.endswith(end) for path in paths)


def test_a_layer_reads_another_value_and_keeps_its_own():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    before = np.array(layer.kernel)
    inputs, value = np.ones([1, 3], np.float32), tf.fill([3, 2], 2.0)
    outputs, losses = call_with_value(layer, layer.kernel, value, inputs)
    np.testing.assert_array_equal(outputs, [[6.0, 6.0]])
    assert losses == []
    np.testing.assert_array_equal(layer.kernel, before)
    model = keras.Sequential([keras.Input([3]), layer])
    with at_values(model, [layer.kernel], [value]):
        np.testing.assert_array_equal(model(inputs), [[6.0, 6.0]])
    np.testing.assert_allclose(model(inputs), inputs @ before, rtol=1e-6)


def test_replicas_in_turn_see_values_of_their_own():
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1)])
    kernel = model.layers[-1].kernel
    both = threading.Barrier(2, timeout=60)

    def replica(number):
        with at_values(model, [kernel], [tf.fill([3, 1], number)]):
            both.wait()
            outputs = float(model(np.ones([1, 3], np.float32))[0, 0])
            if number == 3.0:
                both.wait()
                return outputs
        both.wait()  # The other is within still.
        return outputs

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert list(threads.map(replica, [2.0, 3.0])) == [6.0, 9.0]
    assert model.layers[-1].kernel is kernel


def test_the_rate_of_the_next_update():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    optimizer = keras.optimizers.SGD(schedule)
    variable = keras_versions.Variable(np.zeros(1, np.float32))
    optimizer.build([variable])
    rates = []
    for _ in range(3):
        rates.append(float(keras_versions.next_learning_rate(optimizer)))
        optimizer.apply_gradients([(tf.ones(1), variable)])
    assert rates == [0.5, 0.5, 0.25]
    assert float(keras_versions.next_learning_rate(keras.optimizers.SGD(0.125))) == 0.125
