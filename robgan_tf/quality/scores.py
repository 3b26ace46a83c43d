"""Image quality: Inception Score, Fréchet and kernel distance, precision and recall, diversity.

A number is named by measure, extractor with its resize, and counts, such as
`fid/inception2015-tf1resize/train50k-10k`: numbers of different names cannot be compared.
"""

import numpy as np

from robgan_tf.data import evenly_spaced_rows
from robgan_tf.errors import UserError
from robgan_tf.quality.measures.frechet import frechet_distance
from robgan_tf.quality.measures.inception_score import inception_score
from robgan_tf.quality.measures.kernel_distance import kernel_distance
from robgan_tf.quality.measures.precision_recall import precision_recall

# Sets compared image by image: their cost grows with the square.
MOST_COMPARED = 10_000
SPLITS = 10
NEIGHBOURS = 3


def quality(real, fake, extractor_name, real_name, splits=SPLITS, neighbours=NEIGHBOURS):
    """Compares generated with real images.

    Args:
      real: ImageFeatures of the real images.
      fake: ImageFeatures of the generated ones, in random order of classes.
      extractor_name: of both.
      real_name: split of the real images, such as "train".
      splits: of the Inception Score; its name says how many if they are not 10.
      neighbours: k of precision and recall.

    Returns:
      Dict from name to float.

    Raises:
      UserError: if there are too few images for a measure.
    """
    check_counts(len(real), len(fake), fake.probabilities is not None, splits, neighbours)
    counts = f"{extractor_name}/{real_name}{short(len(real))}-{short(len(fake))}"
    values = {}
    if fake.probabilities is not None:
        mean, deviation = inception_score(fake.probabilities, splits)
        alone = f"{extractor_name}/{short(len(fake))}"
        if splits != SPLITS:
            alone += f"-{splits}splits"
        values[f"is/{alone}"], values[f"is_deviation/{alone}"] = mean, deviation
    values[f"fid/{counts}"] = frechet_distance(*real.moments(), *fake.moments())
    first, second = (_compared(features.features) for features in (real, fake))
    pairs = f"{extractor_name}/{real_name}{short(len(first))}-{short(len(second))}"
    values[f"kid/{pairs}"] = kernel_distance(first, second)
    precision, recall = precision_recall(first, second, neighbours)
    values[f"precision/{pairs}"], values[f"recall/{pairs}"] = precision, recall
    return values


def quality_by_class(real, fake, class_names):
    """Fréchet distance of each class for which both sets have more images than dimensions.

    Args:
      real: ImageFeatures of the real images.
      fake: ImageFeatures of the generated ones.
      class_names: names of the classes.

    Returns:
      Dict from class name to distance; the classes with too few images are left out.
    """
    distances = {}
    for label, name in enumerate(class_names):
        chosen = [np.flatnonzero(features.labels == label) for features in (real, fake)]
        if min(map(len, chosen)) > real.features.shape[1]:
            distances[name] = frechet_distance(*real.moments(chosen[0]), *fake.moments(chosen[1]))
    return distances


def bias_warning(real, fake):
    """One line on why a Fréchet distance of so few images is too high; None for enough."""
    fewest, dimensions = min(len(real), len(fake)), real.features.shape[1]
    if fewest > dimensions:
        return None
    return (
        f"only {fewest} images for features of {dimensions} dimensions: their covariance is "
        "singular and the Fréchet distance is biased upwards; compare at equal counts only"
    )


def short(count):
    """50000 as "50k"; 355 as "355"."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def _compared(features):
    """At most `MOST_COMPARED` rows, evenly spaced."""
    return features[evenly_spaced_rows(len(features), MOST_COMPARED)]


def check_counts(real, fake, has_logits, splits=SPLITS, neighbours=NEIGHBOURS):
    """Refuses counts of real and generated images that are too small for a measure.

    Raises:
      UserError: if one is.
    """
    fewest = min(real, fake)
    if has_logits and fake < splits:
        raise UserError(
            f"{fake} images cannot be divided into {splits} splits of the Inception Score: "
            "ask for more (--num_images), or fewer splits (--splits)"
        )
    if fewest <= neighbours:
        raise UserError(
            f"{fewest} images are too few for precision and recall with {neighbours} neighbours"
        )
