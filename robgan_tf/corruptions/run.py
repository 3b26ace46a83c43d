"""Classifiers on sets of corrupted images, from a folder to files: what the command does."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robgan_tf.adapters.numpy_functions import user_errors
from robgan_tf.corruptions.kept import KeptScores
from robgan_tf.corruptions.picture import heat_map
from robgan_tf.corruptions.scores import Accuracies, Score, mean_error, of_kinds, relative_errors
from robgan_tf.corruptions.sets import CorruptedImages, CorruptionSets
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.reporting.markdown import table
from robgan_tf.robustness.answers import answers
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.input_range import range_warning
from robgan_tf.robustness.subject_check import check_classifier
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.typing import JsonObject, PathLike

_MADE_BY = "it is a result of `evaluate corruptions`"


def evaluate_corruptions(
    classifiers: Sequence[Classifier],
    folder: PathLike,
    directory: PathLike,
    name: str,
    *,
    count: int | None = None,
    batch_size: int = 100,
    baseline: PathLike | None = None,
) -> str:
    """Measures accuracy by kind and severity, and writes `<name>.json`, `.md` and `.png`.

    Scores are kept in `<name>/scores.json` as they are measured: the same call goes on where an
    earlier one was interrupted.

    Args:
      classifiers: Classifiers, names of which differ.
      folder: of the sets, see `corruptions.sets`.
      directory: where results are written.
      name: of the files.
      count: how many images of each set, the first; all if None.
      batch_size: images at a time; changes no result.
      baseline: JSON of an earlier call for one model on the same sets, or None.

    Returns:
      The Markdown table.

    Raises:
      UserError: if something given cannot be used.
    """
    sets = CorruptionSets(folder)
    of_baseline = None if baseline is None else _read_baseline(baseline)
    kinds = f"{len(sets.kinds)} kinds" if len(sets.kinds) > 1 else "1 kind"
    print(f"Corrupted images of {kinds} in {folder}: {', '.join(sets.kinds)}", flush=True)
    path = pathlib.Path(directory)
    kept = KeptScores(path / name / "scores.json")
    scores = _scores(classifiers, sets, count, batch_size, kept)
    record = {
        "data_dir": str(folder),
        "images": _described(scores, count),
        "images_of_each": count,
        "models": [
            _record(classifier, scores[classifier.name], of_baseline) for classifier in classifiers
        ],
        "baseline": None if of_baseline is None else str(baseline),
    }
    accuracies = {name: of_kinds(found) for name, found in scores.items()}
    text = _markdown(record, accuracies)
    path.mkdir(parents=True, exist_ok=True)
    write_atomically(path / f"{name}.json", json.dumps(record, indent=1) + "\n")
    write_atomically(path / f"{name}.md", text)
    write_atomically(path / f"{name}.png", heat_map(accuracies))
    print(f"  written: {path / name}.json, .md and .png")
    return text


def _scores(
    classifiers: Sequence[Classifier],
    sets: CorruptionSets,
    count: int | None,
    batch_size: int,
    kept: KeptScores,
) -> dict[str, list[Score]]:
    scores: dict[str, list[Score]] = {classifier.name: [] for classifier in classifiers}
    compiled: dict[str, CompiledClassifier] = {}
    shape: tuple[int, ...] | None = None
    for some in sets.read(count):
        shape = shape or some.images.shape[1:]
        if some.images.shape[1:] != shape:
            raise UserError(
                f"{some.kind} at severity {some.severity} has images of shape "
                f"{some.images.shape[1:]}, and those before are of {shape}"
            )
        for classifier in classifiers:
            if classifier.name not in compiled:
                compiled[classifier.name] = _opened(classifier, some)
            answered = answers(classifier, some.images)
            score = kept.find(classifier.source, answered, some.digest)
            note = "" if score is None else ", measured before"
            if score is None:
                accuracy = _accuracy(compiled[classifier.name], some, batch_size)
                score = Score(some.kind, some.severity, accuracy, len(some.labels), some.digest)
                kept.add(classifier.source, answered, score)
            scores[classifier.name].append(score)
            of_model = f" of {classifier.name}" if len(classifiers) > 1 else ""
            told = f"{some.kind}, severity {some.severity}: {score.accuracy:.1%}"
            print(f"  {told}{of_model}{note}", flush=True)
    return scores


def _described(scores: Mapping[str, Sequence[Score]], count: int | None) -> str:
    """Which images of each set were used; sets are shared in the order of their test images."""
    sizes = sorted({score.images for found in scores.values() for score in found})
    sized = " to ".join(f"{size}" for size in (sizes[0], sizes[-1])[: len(sizes)])
    if count is None:
        return f"all {sized} of each set"
    return f"the first {sized} of each set, classes as they come"


def _opened(classifier: Classifier, first: CorruptedImages) -> CompiledClassifier:
    """A classifier that has passed the checks of every evaluation, on the mildest images."""
    num_classes = int(first.labels.max()) + 1
    print(f"{classifier.name} ({classifier.source}): {first.found}", flush=True)
    check_classifier(classifier, first.images, num_classes)
    warning = range_warning(classifier, first.images, first.labels, num_classes)
    if warning is not None:
        print(f"  warning: {warning}", flush=True)
    return CompiledClassifier(classifier, first.images.shape[1:])


def _accuracy(compiled: CompiledClassifier, some: CorruptedImages, batch_size: int) -> float:
    right = 0
    with user_errors():
        for start in range(0, len(some.labels), batch_size):
            part = slice(start, start + batch_size)
            predicted = np.asarray(compiled.predict(some.images[part]))
            right += int((predicted == some.labels[part]).sum())
    return right / len(some.labels)


def _record(
    classifier: Classifier, scores: Sequence[Score], baseline: Accuracies | None
) -> JsonObject:
    accuracies = of_kinds(scores)
    record: dict[str, Any] = {
        "model": classifier.name,
        "source": classifier.source,
        "mean_corruption_error_unnormalised": mean_error(accuracies),
        "sets": [{**vars(score), "interval_95": list(score.interval)} for score in scores],
    }
    if baseline is not None:
        errors = relative_errors(accuracies, baseline)
        record["corruption_errors_relative_to_baseline"] = errors
        record["mean_corruption_error_relative_to_baseline"] = float(np.mean(list(errors.values())))
    return record


def _read_baseline(path: PathLike) -> Accuracies:
    record = read_object(path, _MADE_BY)
    try:
        (model,) = record["models"]
        found: dict[str, dict[int, float]] = {}
        for each in model["sets"]:
            found.setdefault(str(each["kind"]), {})[int(each["severity"])] = float(each["accuracy"])
        return found
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"--baseline={path} is no result of one model: {_MADE_BY} of a single --model or "
            "--run_dir"
        ) from error


def _markdown(record: JsonObject, models: Mapping[str, Accuracies]) -> str:
    severities = sorted({x for of in models.values() for each in of.values() for x in each})
    lines = [f"Images: {record['images']}.", ""]
    for model in record["models"]:
        of = models[model["model"]]
        relative = model.get("corruption_errors_relative_to_baseline")
        header = [model["model"], *(f"severity {s}" for s in severities), "mean"]
        rows = [
            [
                kind,
                *(_cell(each.get(s)) for s in severities),
                _cell(float(np.mean([*each.values()]))),
            ]
            for kind, each in of.items()
        ]
        if relative is not None:
            header.append("CE")
            rows = [[*row, _cell(relative[kind])] for row, kind in zip(rows, of, strict=True)]
        lines += [*table(header, rows), "", _mean(model, record["baseline"]), ""]
    return "\n".join(lines)


def _mean(model: JsonObject, baseline: str | None) -> str:
    plain = model["mean_corruption_error_unnormalised"]
    line = f"{model['model']}: mean corruption error, unnormalised: {plain:.2%}."
    if baseline is None:
        return line
    relative = model["mean_corruption_error_relative_to_baseline"]
    return f"{line} Mean corruption error relative to {baseline}: {relative:.2%}."


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
