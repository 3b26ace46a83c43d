"""One evaluation of image quality, from generator and real images to files: the command's work."""

import json
import pathlib
import time

from robgan_tf.evaluation.generated_set import generated_set
from robgan_tf.evaluation.image_features import ReferenceFeatures, extract
from robgan_tf.evaluation.quality import bias_warning, quality, quality_by_class
from robgan_tf.files import write_atomically

QUALITY_IMAGES = 10_000


def evaluate_quality(
    generator,
    extractor,
    source,
    *,
    subject,
    real_name,
    dataset,
    images,
    seed,
    directory,
    statistics_directory,
    batch_size=100,
):
    """Measures a generator and writes `quality_<extractor>.json` and `.md`.

    Args:
      generator: a built `ResNetGenerator`.
      extractor: a FeatureExtractor.
      source: ImageSource of the real images.
      subject: what the generator is, for the record: run, step, weights.
      real_name: their split.
      dataset: their data set.
      images: how many are generated.
      seed: of the generated images.
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
    print(f"Generated  {images} images, seed {seed}: {subject}", flush=True)
    fake = extract(extractor, generated_set(generator, images, seed, batch_size))
    warning = bias_warning(real, fake)
    record = {
        "subject": subject,
        "seed": seed,
        "values": quality(real, fake, extractor.name, real_name),
        "by_class": quality_by_class(real, fake, source.class_names),
        "warning": warning,
        "seconds": round(time.monotonic() - start, 1),
    }
    table = _table(record)
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)
    path = directory / f"quality_{extractor.name}_{images}.json"
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
    lines += ["", f"{record['subject']}, seed {record['seed']}. {record['seconds']:.0f} s."]
    if record["warning"]:
        lines += ["", f"Warning: {record['warning']}."]
    return "\n".join([*lines, ""])
