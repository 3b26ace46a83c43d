"""One graph for all attacks of a form: its numbers are tensors, and its results the very same."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.attacks.search import is_numbered
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import Classifier

RANDOM = np.random.default_rng(2)
COUNT, SIDE, CLASSES = 24, 6, 5
IMAGES = RANDOM.uniform(-0.9, 0.9, [COUNT, SIDE, SIDE, 2]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=[2 * SIDE**2, CLASSES]).astype(np.float32)


class Model:
    """A curved function of images that knows how often it was put into a graph."""

    def __init__(self):
        self.traced = 0

    def __call__(self, images):
        self.traced += tf.inside_function()
        return tf.tanh(3.0 * tf.reshape(images, [-1, 2 * SIDE**2])) @ WEIGHTS


LABELS = np.argmax(Model()(IMAGES), axis=1).astype(np.int32)


def compiled(model=None):
    return CompiledClassifier(Classifier("x", model or Model(), "x"), IMAGES.shape[1:])


def attacked(classifier, attack, batch_size=COUNT):
    return RobustnessEvaluation(classifier, [attack], batch_size, 3).run(IMAGES, LABELS)


class Alone:
    """An attack as an extension may have it: it tells nothing of its form."""

    def __init__(self, attack):
        self._attack, self.name, self.rounds = attack, attack.name, attack.rounds

    def __call__(self, *arguments):
        return self._attack(*arguments)


FORMS = {
    "pgd": lambda radius, steps: PGDSearch(
        radius, steps, 2.5 * radius / steps, random_start=True, restarts=2
    ),
    "pgd-l2": lambda radius, steps: PGDSearch(
        3 * radius, steps, 0.3, "l2", True, "dlr", relative_step=True
    ),
    "apgd": lambda radius, steps: AutoPGD(radius, 8, restarts=steps - 4),
    "apgd-l2": lambda radius, steps: AutoPGD(
        3 * radius, 8, "l2", "targeted_dlr", steps - 4, target_classes=2
    ),
    "fab": lambda radius, steps: FAB(radius, steps, restarts=2),
    "fab-t-l2": lambda radius, steps: FAB(3 * radius, steps, "l2", target_classes=2),
    "mi-fgsm": lambda radius, steps: MomentumSearch(radius, steps),
    "square": lambda radius, steps: SquareSearch(radius, 30 * steps),
    "square-l2": lambda radius, steps: SquareSearch(3 * radius, 30 * steps, "l2"),
}


@pytest.mark.parametrize("kind", FORMS)
def test_it_is_compiled_once_and_finds_what_an_attack_of_fixed_numbers_finds(kind):
    model = Model()
    shared = compiled(model)
    attacked(shared, FORMS[kind](0.04, 5))
    traced = model.traced
    other = FORMS[kind](0.017, 6)
    found = attacked(shared, other)
    assert model.traced == traced > 0
    expected = attacked(compiled(), Alone(other))
    np.testing.assert_array_equal(found.adversarial, expected.adversarial)
    np.testing.assert_array_equal(found.fooled_by, expected.fooled_by)
    assert np.abs(found.adversarial - IMAGES).max() > 0.01
    assert 0 < found.survived.sum() < COUNT


def test_what_a_graph_depends_on_is_not_shared():
    different = [
        PGDSearch(0.1, 4, 0.05),
        PGDSearch(0.1, 4, 0.05, "l2"),
        PGDSearch(0.1, 4, 0.05, random_start=True),
        PGDSearch(0.1, 4, 0.05, objective="margin"),
        PGDSearch(0.1, 4, 0.05, keep="last"),
        PGDSearch(0.1, 4, 0.5, relative_step=True),
        PGDSearch(0.1, 0, 0.05),
        PGDSearch(0.0, 4, 0.05),
        AutoPGD(0.1, 8),
        AutoPGD(0.1, 9),
        AutoPGD(0.1, 8, objective="margin"),
        AutoPGD(0.1, 8, eot=2),
        AutoPGD(0.1, 8, objective="targeted_dlr", target_classes=2),
        AutoPGD(0.1, 8, objective="targeted_dlr", target_classes=3),
        FAB(0.1),
        FAB(0.1, norm="l2"),
        FAB(0.1, target_classes=2),
        MomentumSearch(0.1),
        MomentumSearch(0.1, decay=0.5),
        SquareSearch(0.1),
        SquareSearch(0.1, initial_share=0.3),
        SquareSearch(0.1, 0),
    ]
    forms = {(type(attack), attack.form) for attack in different}
    assert len(forms) == len(different) - 1, "no step and no radius are the same: no attack"
    assert fgsm(0.1).form == PGDSearch(0.2, 20, 0.04, keep="last", name="pgd-20").form
    one, three = (PGDSearch(0.1, 4, 0.05, random_start=True, restarts=count) for count in (1, 3))
    assert one.form == three.form


class Hesitant(PGDSearch):
    """A share of what another attack finds, of which the form of that attack says nothing."""

    def __init__(self, share):
        super().__init__(0.1, 3, 0.05)
        self._share = share

    def __call__(self, logits_fn, images, *rest):
        found = super().__call__(logits_fn, images, *rest)
        return images + self._share * (found - images)


def test_a_subclass_that_tells_no_form_of_its_own_is_compiled_by_itself():
    classifier = compiled()
    assert is_numbered(PGDSearch(0.1, 3, 0.05)) and not is_numbered(Hesitant(0.5))
    farthest = [
        np.abs(attacked(classifier, Hesitant(share)).adversarial - IMAGES).max()
        for share in (0.5, 0.1)
    ]
    np.testing.assert_allclose(farthest, [0.05, 0.01], atol=1e-6)


def test_each_evaluation_counts_its_own_gradients():
    classifier = compiled()
    one, other = (
        RobustnessEvaluation(classifier, [PGDSearch(0.001, steps, 0.0005)])
        for steps in (3, np.int64(5))
    )
    for evaluation, expected in ((one, 3), (other, 5), (one, 6)):
        evaluation.run(IMAGES, LABELS)
        assert evaluation.gradients.followed == expected * COUNT
        assert evaluation.gradients.not_finite == 0
    assert one.gradients.followed == 6 * COUNT
    assert classifier.gradients.counts.followed == 11 * COUNT
