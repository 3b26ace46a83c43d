"""Gradients that are not finite: counted, left out, and no figure where they are many."""

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.pgd_search import PGDSearch
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.run import Protocol, evaluate_robustness
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import verify

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-0.5, 0.5, [40, 4, 4, 1]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=[16, 3]).astype(np.float32)
WEIGHTS[0] = 0.0  # No gradient moves the first pixel.


def honest(images):
    return tf.reshape(images, [-1, 16]) @ WEIGHTS


LABELS = np.argmax(honest(IMAGES), axis=1).astype(np.int32)


def broken(share):
    """Logits as they should be; in gradients a NaN for a share of the images, told by a pixel."""
    bound = np.float32(np.quantile(IMAGES[:, 0, 0, 0], 1.0 - share))
    if share == 1.0:
        bound = np.float32(-np.inf)

    @tf.custom_gradient
    def spoilt(images):
        def gradient(upstream):
            wrong = (images[:, :1, :1] > bound) & (tf.range(4) == 3)[None, :, None, None]
            return tf.where(wrong, np.float32(np.nan), upstream)

        return tf.identity(images), gradient

    return lambda images: honest(spoilt(images))


def evaluate(attack, share, **more):
    classifier = Classifier("mine", broken(share), "mine")
    compiled = CompiledClassifier(classifier, IMAGES.shape[1:])
    return RobustnessEvaluation(compiled, [attack], 16, **more)


ATTACKS = {
    "pgd": lambda: PGDSearch(0.01, 5, 0.004, keep="last"),
    "pgd-l2": lambda: PGDSearch(0.02, 5, 0.004, "l2", keep="last"),
    "apgd": lambda: AutoPGD(0.01, 8),
    "fab-t": lambda: FAB(0.01, 5, target_classes=2),
    "mi-fgsm": lambda: MomentumSearch(0.01),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_figure_is_refused_where_many_are_not_finite(name):
    message = r"mine: \d+ of the \d+ gradients .* are infinite or NaN \(.*%, at most 5% is accepted"
    with pytest.raises(UserError, match=message):
        evaluate(ATTACKS[name](), 1.0).run(IMAGES, LABELS)


def test_each_is_counted_once_an_image_and_step():
    evaluation = evaluate(ATTACKS["pgd"](), 0.25, most_not_finite=1.0)
    outcome = evaluation.run(IMAGES, LABELS)
    assert evaluation.gradients.followed == 5 * 40
    assert evaluation.gradients.not_finite == 5 * 10
    # Pixels without a gradient stay where they are, and the others of the same image move.
    change = np.abs(outcome.adversarial - IMAGES)
    assert change.max(axis=(1, 2, 3)).min() > 0.009
    still = change[:, 3].max(axis=(1, 2)) == 0.0
    first = IMAGES[:, 0, 0, 0]
    np.testing.assert_array_equal(still, first > np.quantile(first, 0.75))


def test_a_few_are_left_out_and_the_figure_given():
    attack = ATTACKS["apgd"]()
    evaluation = evaluate(attack, 0.025)
    assert evaluation.run(IMAGES, LABELS).survived.mean() < 1.0
    assert 0 < evaluation.gradients.not_finite < 0.05 * evaluation.gradients.followed


def test_a_few_are_told_beside_the_figure(tmp_path, capsys):
    pixels = np.round((IMAGES + 1.0) * 127.5).astype(np.uint8)
    source = InMemorySource(pixels, LABELS, tuple("abc"), 4)
    line = "gradients that the attacks followed are infinite or NaN and led nowhere"
    for name, share in (("few", 0.025), ("none", 0.0)):
        classifier = Classifier("mine", broken(share), "mine")
        protocol = Protocol("published", (0.01,), masking=False)
        evaluate_robustness([(classifier, tmp_path, name)], source, protocol)
        told = capsys.readouterr().out, (tmp_path / f"{name}.md").read_text()
        assert [line in text for text in told] == [name == "few"] * 2
    with pytest.warns(UserWarning, match=f"20 of the 800 {line}"):
        robgan_tf.robust_accuracy(broken(0.025), IMAGES, LABELS, 0.01)


def test_finite_ones_are_what_they_were():
    one, other = (
        RobustnessEvaluation(
            CompiledClassifier(Classifier("x", logits, "x"), IMAGES.shape[1:]), [ATTACKS["pgd"]()]
        )
        for logits in (honest, broken(0.0))
    )
    found, expected = other.run(IMAGES, LABELS), one.run(IMAGES, LABELS)
    np.testing.assert_array_equal(found.adversarial, expected.adversarial)
    assert one.gradients.not_finite == other.gradients.not_finite == 0


def test_as_one_call():
    with pytest.raises(UserError, match="infinite or NaN"):
        robgan_tf.robust_accuracy(broken(1.0), IMAGES, LABELS, 0.01)
    # A search that follows no gradient has nothing to lose.
    found = robgan_tf.robust_accuracy(broken(1.0), IMAGES, LABELS, 0.01, protocol="square")
    assert found.clean == 1.0


def test_logits_that_are_not_a_number_are_no_answer():
    """NaN has a largest entry too, the first: an image of that class would count as right."""

    def logits(images):
        blank = tf.reduce_mean(images, [1, 2, 3])[:, None] > 0.02
        return tf.where(blank, np.float32(np.nan), honest(images))

    labels = np.zeros(40, np.int32)
    classifier = Classifier("x", logits, "x")
    compiled = CompiledClassifier(classifier, IMAGES.shape[1:])
    evaluation = RobustnessEvaluation(compiled, [PGDSearch(0.5, 3, 0.2)])
    outcome = evaluation.run(IMAGES, labels)
    given = IMAGES.mean(axis=(1, 2, 3)) > 0.02
    assert 0 < given.sum() < 40
    assert (outcome.predictions[given] == -1).all()
    assert not outcome.clean_correct[given].any()
    verify(classifier, IMAGES, labels, outcome.adversarial, outcome.survived, 0.5, "linf")
    with pytest.raises(UserError, match="is said to be classified correctly and is not"):
        verify(classifier, IMAGES, labels, IMAGES, np.argmax(honest(IMAGES), 1) == 0, 0.5, "linf")
