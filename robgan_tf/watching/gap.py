"""The gap between training and test images: accuracy, accuracy under attack, LLV (Figures 2, 6)."""

import csv
import io
from collections.abc import Iterable, Mapping

import keras

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.data import ImageData, evaluation_batches
from robgan_tf.data.sources import ImageSource
from robgan_tf.robustness.accuracy import AccuracyMeter

BATCH_SIZE = 100
MEASURES = ("clean", "attacked", "lipschitz")


def splits_of(data: ImageData) -> dict[str, ImageSource]:
    """The splits that are measured, by name."""
    return {"train": data.train, "validation": data.validation, "test": data.test}


def images_of_splits(data: ImageData, images: int) -> str:
    """How many images of each split a GapMeter uses that may use at most `images` of each."""
    counts = {name: min(images, len(source)) for name, source in splits_of(data).items()}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) + " images"


class GapMeter:
    """Measures a model on fixed images of each split, as often as it is called.

    Args:
      model: model returning (source logits, class logits).
      sources: dict from the name of a split to its ImageSource; those without images are left out.
      images: how many images of each are used, evenly spaced in stored order.
      attack: a ProjectedGradientDescent.
    """

    def __init__(
        self,
        model: keras.Model,
        sources: Mapping[str, ImageSource],
        images: int,
        attack: ProjectedGradientDescent,
    ) -> None:
        self._meter = AccuracyMeter(model, attack)
        self._sources = {
            name: source.evenly_spaced(images) for name, source in sources.items() if len(source)
        }

    def __call__(self) -> dict[str, float]:
        """Returns a dict such as {"gap/test_attacked": 0.31, "gap/test_lipschitz": 0.8, ...}.

        Raises:
          UserError: if images of a split have no label.
        """
        for name, source in self._sources.items():
            source.check_labelled(f"the gap needs of the {name} images: choose another split")
        values = {}
        for name, source in self._sources.items():
            accuracy = self._meter(evaluation_batches(source, BATCH_SIZE))
            for measure in MEASURES:
                values[f"gap/{name}_{measure}"] = getattr(accuracy, measure)
        return values


def gap_records(records: Iterable[Mapping[str, float]]) -> list[dict[str, float]]:
    """Those records of metrics.jsonl in which the gap was measured, gap values and step only."""
    return [
        {name: value for name, value in record.items() if name == "step" or name in gap}
        for record in records
        if (gap := {name for name in record if name.startswith("gap/")})
    ]


def gap_csv(records: Iterable[Mapping[str, float]]) -> str:
    """The records of `gap_records` as CSV: step, then a column a measure."""
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()
