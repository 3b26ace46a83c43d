"""Image data: datasets by name, splits, augmentation, and batches for training."""

from robgan_tf.data.batches import evaluation_batches, scale_images, training_batches
from robgan_tf.data.generated import load_generated_images
from robgan_tf.data.load import ImageData, load_image_data
from robgan_tf.data.sources import ImageSource
from robgan_tf.data.subsets import evenly_spaced_rows

__all__ = [
    "ImageData",
    "ImageSource",
    "evaluation_batches",
    "evenly_spaced_rows",
    "load_generated_images",
    "load_image_data",
    "scale_images",
    "training_batches",
]
