"""Classifiers of numpy arrays under attack: as their TensorFlow twins, or refused in one line."""

import json

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf.attacks
from robgan_tf.errors import UserError
from robgan_tf.robustness.own_gradient import gradient_warning, relative_error
from robgan_tf.robustness.subject_check import check_classifier
from robgan_tf.robustness.subjects import foreign_classifier
from tests import in_process, tiny

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.normal(0.0, 0.5, [48, 20]).astype(np.float32)
OUT = RANDOM.normal(0.0, 0.5, [20, 5]).astype(np.float32)
IMAGES = RANDOM.uniform(-1, 1, [60, 4, 4, 3]).astype(np.float32)


def in_tensorflow(images):
    return tf.tanh(tf.reshape(images, [-1, 48]) @ HIDDEN) @ OUT


LABELS = np.asarray(in_tensorflow(IMAGES)).argmax(axis=1)


class Twin:
    """The same network on numpy arrays, its gradient by hand."""

    name = "twin"

    def logits(self, images):
        return np.tanh(images.reshape(-1, 48) @ HIDDEN) @ OUT

    def input_gradient(self, images, upstream):
        hidden = np.tanh(images.reshape(-1, 48) @ HIDDEN)
        return (((upstream @ OUT.T) * (1.0 - hidden**2)) @ HIDDEN.T).reshape(images.shape)


def test_verdicts_are_those_of_the_same_network_in_tensorflow():
    given = (IMAGES, LABELS, 0.1)
    expected = robgan_tf.robust_accuracy(in_tensorflow, *given)
    found = robgan_tf.robust_accuracy(Twin(), *given)
    assert 0.1 < expected.robust < 0.9
    np.testing.assert_array_equal(found.fooled_by, expected.fooled_by)
    np.testing.assert_allclose(found.adversarial, expected.adversarial, atol=5e-3)


class Wrong(Twin):
    """Twins with one thing wrong each."""

    def __init__(self, logits=None, gradient=None):
        self._logits, self._gradient = logits, gradient

    def logits(self, images):
        right = super().logits(images)
        return right if self._logits is None else self._logits(right)

    def input_gradient(self, images, upstream):
        right = super().input_gradient(images, upstream)
        return right if self._gradient is None else self._gradient(right)


def fails(right):
    raise KeyError("weights\nof layer 3")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Wrong(lambda x: x[:, 0]), r"twin: logits\(images\) gives an array of shape \(1,\) for im"),
        (Wrong(lambda x: x.T), r"gives an array of shape \(5, 1\)"),
        (Wrong(lambda x: np.int64(x)), "twin: logits gives an array of int64; floats are needed"),
        (Wrong(lambda x: [None] * len(x)), "gives an array of object"),
        (Wrong(lambda x: x * np.nan), "twin gives infinite or NaN logits"),
        (Wrong(fails), "twin: logits fails on images of shape .*KeyError: 'weights.*of layer 3'"),
        (Wrong(None, lambda x: x.transpose(0, 3, 1, 2)), r"input_gradient.* shape \(1, 3, 4, 4\)"),
        (Wrong(None, lambda x: x[:1, :1]), "the same shape is needed"),
        (Wrong(None, lambda x: np.int8(x)), "input_gradient gives an array of int8"),
        (Wrong(None, lambda x: x + np.inf), "input_gradient gives infinite or NaN"),
        (Wrong(None, fails), "input_gradient fails on images of shape"),
    ],
)
def test_what_is_no_array_of_the_kind_is_one_line(model, message, eagerly):
    with pytest.raises(UserError, match=message) as error:
        robgan_tf.robust_accuracy(model, IMAGES, LABELS, 0.1, protocol="fgsm")
    assert "\n" not in str(error.value)


def test_what_fails_in_the_middle_of_a_compiled_attack_is_one_line():
    calls = []

    def fails_later(right):
        calls.append(right)
        return right if len(calls) < 20 else fails(right)

    with pytest.raises(UserError, match=r"input_gradient fails on images of shape .*KeyError"):
        robgan_tf.robust_accuracy(Wrong(None, fails_later), IMAGES, LABELS, 0.1)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: -x,
        lambda x: x[::-1],
        lambda x: x / 127.5,
        lambda x: np.zeros_like(x),
        lambda x: x * (np.arange(4) < 2)[:, None],
        lambda x: np.sign(x),
        lambda x: x * 1.3,
    ],
    ids=["sign", "order", "scale", "zero", "half", "sign alone", "a third more"],
)
def test_a_gradient_of_something_else_is_noticed(change):
    classifier = foreign_classifier(Wrong(None, change), "twin", "test")
    assert "the gradient of twin is not that of its logits" in gradient_warning(classifier, IMAGES)


def test_an_honest_gradient_is_not_suspected():
    assert relative_error(foreign_classifier(Twin(), "twin", "test").logits, IMAGES) < 0.02
    # What TensorFlow derives itself is not asked.
    model = foreign_classifier(lambda x: tf.stop_gradient(in_tensorflow(x)), "", "")
    assert gradient_warning(model, IMAGES) is None


class Logits:
    """Nothing but logits."""

    def logits(self, images):
        return Twin().logits(images)


def square(model, images, labels, queries=150):
    """Images that Square search finds, compiled, in a second."""
    attack = robgan_tf.attacks.SquareSearch(0.1, queries)
    logits = foreign_classifier(model, "model", "").logits
    seeds = np.arange(2 * len(images), dtype=np.int32).reshape(-1, 2)
    run = tf.function(lambda *given: attack(logits, *given), autograph=False)
    return run(tf.constant(images), tf.constant(labels, tf.int32), seeds).numpy()


def test_logits_alone_are_for_the_protocol_square():
    expected = square(in_tensorflow, IMAGES, LABELS)
    fooled = np.asarray(in_tensorflow(expected)).argmax(axis=1) != LABELS
    assert 0.1 < fooled.mean() < 0.9
    np.testing.assert_allclose(square(Logits(), IMAGES, LABELS), expected, atol=1e-6)
    with pytest.raises(UserError, match=r"the model cannot be differentiated, as .*'square'"):
        robgan_tf.robust_accuracy(Logits(), IMAGES, LABELS, 0.1, protocol="published")


def test_float64_is_taken_and_pixels_arrive_as_asked():
    seen = []

    class Doubles(Twin):
        def logits(self, images):
            seen.append((images.dtype, images.min(), images.max()))
            images[:] = images / 127.5 - 1.0  # It is the model's own array.
            return super().logits(images).astype(np.float64)

    range_of_bytes = robgan_tf.InputRange(0.0, 255.0)
    classifier = foreign_classifier(Doubles(), "doubles", "test", range_of_bytes)
    assert check_classifier(classifier, IMAGES, 5) == 5
    kind, low, high = seen[1]
    assert kind == np.float32 and 0.0 <= low < 10.0 and 245.0 < high <= 255.0
    assert classifier.source == "test on [0.0, 255.0]"


PROGRAM = """
import numpy as np
import tensorflow as tf

WEIGHTS = np.random.default_rng(0).normal(size=[256, 10]).astype(np.float32)


def of_tensorflow():
    return lambda images: tf.reshape(images, [-1, 256]) @ WEIGHTS


class Linear:
    def logits(self, images):
        return images.reshape(-1, 256) @ WEIGHTS

    def input_gradient(self, images, upstream):
        return SIGN * (upstream @ WEIGHTS.T).reshape(images.shape)


SIGN = 1.0
linear = Linear
nothing = lambda: None
number = lambda: 7
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "tiny.gin").write_text("\n".join(tiny.BINDINGS) + "\n")
    (tmp_path / "mine.py").write_text(PROGRAM)
    return tmp_path / "mine.py"


def evaluate(program, function, *words):
    return in_process.run(
        "evaluate",
        "robustness",
        f"--model={program}:{function}",
        f"--gin_file={program.parent}/tiny.gin",
        f"--output_dir={program.parent}/out",
        "--attack=fgsm",
        "--epsilons=0.01",
        "--images=40",
        "--nomasking",
        *words,
    )


def result(program, function):
    name = f"robustness_fgsm_test_40_images_epsilon_0.01_mine.py_{function}"
    return json.loads((program.parent / "out" / f"{name}.json").read_text())


def test_a_program_is_announced_evaluated_and_found_again(program):
    ended = evaluate(program, "linear")
    assert ended.returncode == 0, ended.stderr
    assert f"Model {program}: a program, run with your rights" in ended.stdout
    found = result(program, "linear")
    assert evaluate(program, "of_tensorflow").returncode == 0
    assert found["radii"] == [
        {**row, "seconds": found["radii"][number]["seconds"]}
        for number, row in enumerate(result(program, "of_tensorflow")["radii"])
    ]
    assert found["source"].startswith("mine.py:linear ")
    # The same command reads what is there; of another content it is another model.
    again = evaluate(program, "linear")
    assert again.returncode == 0 and result(program, "linear") == found
    program.write_text(PROGRAM.replace("SIGN = 1.0", "SIGN = -1.0"))
    other = evaluate(program, "linear")
    assert other.returncode == 2 and "holds an evaluation that differs in model" in other.stderr
    other = evaluate(program, "linear", "--name=other")
    assert "warning: the gradient of mine.py:linear is not that of its logits" in other.stdout


def test_programs_that_give_no_model(program):
    for function, message in (
        ("nothing", "mine.py:nothing() returns nothing"),
        ("number", "mine.py:number is a int; a function from images to logits is needed"),
        ("elsewhere", "mine.py has no function elsewhere"),
    ):
        ended = evaluate(program, function)
        assert ended.returncode == 2 and message in ended.stderr, ended.stderr
