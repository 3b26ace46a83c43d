"""One evaluation of image quality, from generator and real images to files: the command's work."""

import json
import pathlib
import time

from robgan_tf.evaluation.image_features import ReferenceFeatures, extract
from robgan_tf.evaluation.quality import bias_warning, quality, quality_by_class
from robgan_tf.files import write_atomically

QUALITY_IMAGES = 10_000


def evaluate_quality(
    batches,
    extractor,
    source,
    *,
    subject,
    real_name,
    has_classes,
    dataset,
    name,
    directory,
    statistics_directory,
    batch_size=100,
):
    """Measures generated images and writes `<name>.json` and `.md`.

    Args:
      batches: iterable of (uint8 images [n, H, W, C], labels [n]), in random order of classes.
      extractor: a FeatureExtractor.
      source: ImageSource of the real images.
      subject: what made the images, for the record: run, step, weights, seed.
      real_name: their split.
      has_classes: whether the labels of the generated images mean anything.
      dataset: their data set.
      name: of the files.
      directory: where the result goes.
      statistics_directory: where features of real images are kept.
      batch_size: images at a time; changes nothing but rounding.

    Returns:
      The Markdown table.

    Raises:
      UserError: if something given cannot be used.
    """
    start = time.monotonic()
    reference = ReferenceFeatures(
        statistics_directory, extractor, source, f"{dataset}-{real_name}", batch_size
    )
    print(
        f"Real       {len(source)} images of {dataset}, {real_name}: {reference.path}", flush=True
    )
    real = reference.load()
    print(f"Generated  {subject}", flush=True)
    extracting = time.monotonic()
    fake = extract(extractor, batches)
    extracting = time.monotonic() - extracting
    warning = bias_warning(real, fake)
    record = {
        "subject": subject,
        "images": len(fake),
        "values": quality(real, fake, extractor.name, real_name),
        "by_class": quality_by_class(real, fake, source.class_names if has_classes else ()),
        "warning": warning,
        "seconds": round(time.monotonic() - start, 1),
        "seconds_for_10000_images": round(extracting * 10_000 / len(fake), 1),
    }
    table = _table(record)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    write_atomically(path.with_suffix(".md"), table)
    print(f"  written: {path} and .md")
    return table


def _table(record):
    lines = ["| measure | value |", "|---|---|"]
    lines += [f"| `{name}` | {value:.5g} |" for name, value in record["values"].items()]
    if record["by_class"]:
        lines += ["", "| class | Fréchet distance |", "|---|---|"]
        lines += [f"| {name} | {value:.5g} |" for name, value in record["by_class"].items()]
    lines += ["", f"{record['subject']}. {record['seconds']:.0f} s."]
    if record["warning"]:
        lines += ["", f"Warning: {record['warning']}."]
    return "\n".join([*lines, ""])
