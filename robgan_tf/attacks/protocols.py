"""Named protocols: which attacks an evaluation runs at a radius, in order."""

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.config.choices import ATTACK_PRESETS
from robgan_tf.errors import UserError

MOST_TARGETS = 9


def published(epsilon, norm, num_classes):
    """The paper's: PGD, 20 steps of a fifth of the radius, no random start, where it ends."""
    del num_classes
    return [PGDSearch(epsilon, 20, epsilon / 5, norm, keep="last", name="pgd-20")]


def strong(epsilon, norm, num_classes):
    """Auto-PGD on cross-entropy, then on targeted DLR, then Square search with 5,000 queries.

    With fewer than 4 classes, Auto-PGD on the margin takes the place of targeted DLR. An ensemble
    like AutoAttack's without FAB: its figures are not AutoAttack's.
    """
    if num_classes > 3:
        targets = min(MOST_TARGETS, num_classes - 1)
        second = AutoPGD(epsilon, 100, norm, "targeted_dlr", target_classes=targets)
    else:
        second = AutoPGD(epsilon, 100, norm, "margin")
    return [AutoPGD(epsilon, 100, norm), second, SquareSearch(epsilon, 5000, norm)]


def one_step(epsilon, norm, num_classes):
    """FGSM: one step of the whole radius."""
    del num_classes
    return [fgsm(epsilon, norm)]


def pgd_50_10(epsilon, norm, num_classes):
    """PGD with 50 steps and 10 random starts on the margin, best iterate kept."""
    del num_classes
    step = 2.5 * epsilon / 50
    return [
        PGDSearch(
            epsilon,
            50,
            step,
            norm,
            random_start=True,
            objective="margin",
            restarts=10,
            name="pgd-50-10",
        )
    ]


def auto_pgd(epsilon, norm, num_classes):
    """Auto-PGD on cross-entropy alone."""
    del num_classes
    return [AutoPGD(epsilon, 100, norm)]


def square(epsilon, norm, num_classes):
    """Square search alone: a black box, 5,000 queries."""
    del num_classes
    return [SquareSearch(epsilon, 5000, norm)]


_PRESETS = (published, strong, one_step, pgd_50_10, auto_pgd, square)


def make_attacks(name, epsilon, norm, num_classes):
    """Builds the attacks of a preset.

    Args:
      name: one of `ATTACK_PRESETS`.
      epsilon: radius on [-1, 1].
      norm: "linf" or "l2".
      num_classes: of the classifier.

    Returns:
      List of attacks, to be run in order on what survives.

    Raises:
      UserError: if the radius or the norm makes no sense.
    """
    preset = dict(zip(ATTACK_PRESETS, _PRESETS, strict=True))[name]
    try:
        return preset(epsilon, norm, num_classes)
    except ValueError as error:
        raise UserError(str(error)) from error
