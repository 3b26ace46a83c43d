"""Attacks as graphs for any number of images: one trace, whatever batches a test makes."""

import tensorflow as tf


def compiled(attack, logits_fn, shape, dtype):
    """Returns the attack as a function of images, labels, seeds and the number of the round."""

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *shape], dtype),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, 2], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
    )
    def run(images, labels, seeds, round_number):
        return attack(logits_fn, images, labels, seeds, round_number)

    return lambda images, labels, seeds, round_number=0: run(
        images, labels, seeds, round_number
    ).numpy()
