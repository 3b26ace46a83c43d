"""The nearest adversarial images so far, and the search between them and the originals."""

from typing import NamedTuple

import tensorflow as tf

from robgan_tf.attacks.ball import per_sample
from robgan_tf.attacks.norm import Norm
from robgan_tf.attacks.objectives import is_fooled, logit_of
from robgan_tf.attacks.samples import choose
from robgan_tf.typing import LogitsFunction

FINAL_SEARCH_STEPS = 3


class Perturbed(NamedTuple):
    """The nearest adversarial images found.

    Attributes:
      images: [N, ...]; the originals where there is none.
      distances: [N] in the norm of the attack, on [-1, 1]; 0 where the original is misclassified,
        infinite where no adversarial image was found.
    """

    images: tf.Tensor
    distances: tf.Tensor


class _Seen(NamedTuple):
    """Images [N, ...] and their logits [N, K]."""

    images: tf.Tensor
    logits: tf.Tensor


def nearer(
    fooled: tf.Tensor, images: tf.Tensor, distances: tf.Tensor, best: Perturbed
) -> Perturbed:
    """Returns the best with those images that fool and are nearer.

    Args:
      fooled: bool [N], whether they are misclassified.
      images: [N, ...].
      distances: [N], theirs from the originals.
      best: a Perturbed of N.
    """
    return choose(fooled & (distances < best.distances), Perturbed(images, distances), best)


def final_search(
    logits_fn: LogitsFunction,
    originals: tf.Tensor,
    labels: tf.Tensor,
    best: Perturbed,
    norm: Norm,
) -> Perturbed:
    """Looks for nearer images on the segments to the originals, by three steps of regula falsi.

    All at once, as FAB does in the end; without a forward pass where nothing was found at all.

    Args:
      logits_fn: function from images to logits [N, K].
      originals: [N, ...].
      labels: [N].
      best: a Perturbed of N.
      norm: in which distances are meant.

    Returns:
      A Perturbed, nowhere farther.
    """

    def narrow(
        number: tf.Tensor, inner: _Seen, outer: _Seen, best: Perturbed
    ) -> tuple[tf.Tensor, _Seen, _Seen, Perturbed]:
        share = per_sample(_crossing(inner.logits, outer.logits, labels), originals)
        images = inner.images * (1.0 - share) + outer.images * share
        between = _Seen(images, logits_fn(images))
        fooled = is_fooled(between.logits, labels)
        best = nearer(fooled, images, norm.norm(images - originals), best)
        return number + 1, choose(fooled, inner, between), choose(fooled, between, outer), best

    def search() -> Perturbed:
        ends = (_Seen(images, logits_fn(images)) for images in (originals, best.images))
        *_, found = tf.while_loop(
            lambda number, *_: number < FINAL_SEARCH_STEPS, narrow, (0, *ends, best)
        )
        return found

    return tf.cond(tf.reduce_any(tf.math.is_finite(best.distances)), search, lambda: best)


def _crossing(inner: tf.Tensor, outer: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Where on a segment the logit of the label would meet that of the class at the outer end.

    Args:
      inner: logits [M, K] where the label is predicted.
      outer: logits [M, K] where another class is.
      labels: [M].

    Returns:
      [M] in [0, 1], 0 at the inner end; 1 where they would not meet.
    """
    rivals = tf.argmax(outer, axis=1, output_type=labels.dtype)
    before = logit_of(inner, labels) - logit_of(inner, rivals)
    beyond = logit_of(outer, rivals) - logit_of(outer, labels)
    share = before / (before + beyond)
    return tf.where((share >= 0.0) & (share <= 1.0), share, 1.0)
