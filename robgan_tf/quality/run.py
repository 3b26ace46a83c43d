"""One evaluation of image quality, from images to files: the command's work."""

import json
import pathlib
import time
from collections.abc import Mapping

import numpy as np

from robgan_tf import __version__
from robgan_tf.data import evenly_spaced_rows
from robgan_tf.data.sources import ImageSource
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.quality.extractors import FeatureExtractor
from robgan_tf.quality.image_features import (
    ImageFeatures,
    ReferenceFeatures,
    extract,
    is_same_network,
)
from robgan_tf.quality.measure import SPLITS, short
from robgan_tf.quality.measured_images import MeasuredImages
from robgan_tf.quality.scores import bias_warning, check_counts, quality, quality_by_class
from robgan_tf.reporting.markdown import table
from robgan_tf.typing import JsonObject, PathLike

QUALITY_IMAGES = 10_000
# What a result is of: a file of the same name that is of something else is kept.
_PROTOCOL = ("subject", "real", "reference", "extractor", "splits")
_PROBE_NUMBERS = 16  # of the features of each probed image, in a result


def evaluate_quality(
    measured: MeasuredImages,
    extractor: FeatureExtractor,
    source: ImageSource,
    *,
    real_name: str,
    dataset: str,
    directory: PathLike,
    statistics_directory: PathLike,
    name: str | None = None,
    splits: int = SPLITS,
    batch_size: int = 100,
) -> str:
    """Measures generated images and writes `<name>.json` and `.md`.

    Of the processes that share the extractor, the chief alone reads and writes files.

    Args:
      measured: MeasuredImages.
      extractor: a FeatureExtractor.
      source: ImageSource of the real images.
      real_name: their split.
      dataset: their data set.
      directory: where the result goes.
      statistics_directory: where features of real images are kept.
      name: of the files; by default it says extractor, counts and subject.
      splits: of the Inception Score.
      batch_size: images at a time; changes nothing but rounding.

    Returns:
      The Markdown table; of others than the chief an empty string.

    Raises:
      UserError: if something given cannot be used, or files of this name hold something else.
    """
    start = time.monotonic()
    counts = f"{real_name}{short(len(source))}-{short(measured.count)}"
    name = name or f"quality_{extractor.name}_{counts}_{measured.name}"
    path = pathlib.Path(directory) / f"{name}.json"
    reference = ReferenceFeatures(
        statistics_directory, extractor, source, f"{dataset}-{real_name}", batch_size
    )
    record = {
        "subject": measured.subject,
        "real": f"{len(source)} images of {dataset}, {real_name}",
        # Its name tells them from as many other images of the same split.
        "reference": reference.path.name,
        "extractor": extractor.identity,
        "extractor_probe": _probe_numbers(extractor),
        "splits": splits,
        "images": measured.count,
    }
    check_counts(len(source), measured.count, extractor.classes is not None, splits)
    _check_alike(extractor, record, batch_size)
    if not extractor.peers.is_chief:
        _help(measured, extractor, reference)
        return ""
    _refuse_other(path, record)
    print(f"Real       {record['real']}: {reference.path}", flush=True)
    extractor.peers.of_chief(b"stored" if reference.path.exists() else b"")
    real = reference.load()
    print(f"Generated  {measured.subject}", flush=True)
    extracting = time.monotonic()
    fake = extract(extractor, measured.batches(), measured.count)
    extracting = time.monotonic() - extracting
    by_class = quality_by_class(real, fake, source.class_names if measured.has_classes else ())
    record |= {
        "values": quality(real, fake, extractor.name, real_name, splits),
        "by_class": by_class,
        "notes": _notes(measured, real, fake, by_class),
        "seconds": round(time.monotonic() - start, 1),
        "seconds_for_10000_images": round(extracting * 10_000 / len(fake), 1),
    }
    table = _table(record)
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    write_atomically(path.with_suffix(".md"), table)
    print(f"  written: {path} and .md")
    return table


def _check_alike(extractor: FeatureExtractor, record: JsonObject, batch_size: int) -> None:
    """Refuses processes that would not compute the same features by the same batches."""
    # The probe is of this machine, to rounding.
    same = {name: value for name, value in record.items() if name != "extractor_probe"}
    numbers = [batch_size, len(extractor.devices), __version__]
    extractor.peers.check_alike("the evaluation", json.dumps([same, numbers], sort_keys=True))


def _help(
    measured: MeasuredImages, extractor: FeatureExtractor, reference: ReferenceFeatures
) -> None:
    """What a process does that is not the chief: its share of the features."""
    if not extractor.peers.of_chief(b""):
        reference.compute()
    extract(extractor, measured.batches(), measured.count)


def _refuse_other(path: pathlib.Path, record: JsonObject) -> None:
    """Makes the directory of a result; refuses a file that is of something else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    found = read_object(path, MEASURE_ANEW) if path.exists() else record
    differing = [part for part in _PROTOCOL if found.get(part) != record[part]]
    probes = (np.array(x.get("extractor_probe", []), float) for x in (found, record))
    if not differing and not is_same_network(*probes):
        differing = ["what the extractor makes of the same images"]
    if differing:
        raise UserError(f"{path} exists and differs in {', '.join(differing)}: give another --name")


def _probe_numbers(extractor: FeatureExtractor) -> list[list[float]]:
    """Some of the features of the extractor's probe, as lists."""
    probe = extractor.probe
    columns = evenly_spaced_rows(probe.shape[1], _PROBE_NUMBERS)
    return [[float(f"{value:.5g}") for value in row] for row in probe[:, columns]]


def _notes(
    measured: MeasuredImages,
    real: ImageFeatures,
    fake: ImageFeatures,
    by_class: Mapping[str, float],
) -> list[str]:
    notes, warning = measured.notes(), bias_warning(real, fake)
    if warning is not None:
        notes.append(warning)
    if measured.has_classes and not by_class:
        notes.append(
            f"no distances by class: no class has more than {real.features.shape[1]} images of "
            "both kinds, as many as there are dimensions"
        )
    return notes


def _table(record: JsonObject) -> str:
    values = ((f"`{name}`", f"{value:.5g}") for name, value in record["values"].items())
    lines = table(["measure", "value"], values)
    if record["by_class"]:
        distances = ((name, f"{value:.5g}") for name, value in record["by_class"].items())
        lines += ["", *table(["class", "Fréchet distance"], distances)]
    lines += ["", f"{record['subject']}. {record['seconds']:.0f} s."]
    for note in record["notes"]:
        lines += ["", f"Note: {note}."]
    return "\n".join([*lines, ""])
