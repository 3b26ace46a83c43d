"""What joint training asks of its two networks: the classes that every G and every D is of."""

import abc

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.models.network import Network


class Generator(Network):
    """G(z, y): a network from latents and classes to images.

    Attributes:
      latent_size: length Z of the latent vector.
      num_classes: number of classes; 0 of a generator that ignores labels.
    """

    latent_size: int
    num_classes: int

    @abc.abstractmethod
    @override
    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tf.Tensor:
        """Generates images.

        Args:
          latents: [N, Z] floats, standard normal in training.
          labels: [N] integers in [0, num_classes), or [N, num_classes] floats, weights of a
            mixture of classes.
          training: statistics of the batch in normalizations, otherwise their moving averages.
          update_statistics: with `training`, whether the moving averages move (only in G's own
            update).

        Returns:
          [N, H, W, C] images in [-1, 1], each of its own latent and label alone where `training`
          is False.
        """


class Discriminator(Network):
    """D(x): a network from images to whether they are real, and of which class.

    Attributes:
      num_classes: number of classes.
      source_head: the layer that gives the source logit.
      class_head: the layer that gives the class logits; None where D is no classifier.
    """

    num_classes: int
    source_head: keras.layers.Layer
    class_head: keras.layers.Layer | None

    @abc.abstractmethod
    @override
    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = False,
        update_statistics: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Judges images.

        Args:
          images: [N, H, W, C] in [-1, 1].
          labels: [N] integers, for a D that judges images of given classes.
          training: advance spectral normalization (unless its kernels are held) and use statistics
            of the batch, otherwise moving averages.
          update_statistics: with `training`, whether moving averages move.

        Returns:
          source_logits [N], positive for real; class_logits [N, num_classes], or None where there
          is no class head.
        """

    @abc.abstractmethod
    def features(
        self, images: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        """What the heads see: [N, F]. Args are those of `call`."""
