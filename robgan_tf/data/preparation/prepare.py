"""Prepares a data set: record files one after the other, then what makes a data set of them.

All is made in `<version>.unfinished`, which gets its name when everything is in it. A preparation
that ended at any moment goes on with the first record file that is not complete.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import warnings
from collections.abc import Mapping

import filelock

from robgan_tf.data.preparation.metadata import Identity, features_of, write_metadata
from robgan_tf.data.preparation.picture import StoredForm
from robgan_tf.data.preparation.plan import Plan, sizes_digest
from robgan_tf.data.preparation.record import FILE_NAME as RECORD
from robgan_tf.data.preparation.shards import (
    OUTCOME,
    SIZES,
    Outcome,
    Shard,
    convert_all,
    finished,
    make,
    shards_of,
)
from robgan_tf.data.preparation.shortage import images_missing, shortage
from robgan_tf.data.record_index import index_of_split
from robgan_tf.errors import UserError, one_line
from robgan_tf.files import flush_to_disk, remove_left_overs, write_atomically
from robgan_tf.json_file import read_object
from robgan_tf.reporting.bar import counted

UNFINISHED = ".unfinished"
CLASSES, SKIPPED = "classes.tsv", "skipped.tsv"
_PLAN, _LOCK = "plan.json", "lock"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A data set that has been prepared.

    Attributes:
      folder: where it is.
      images: how many, by split.
      unreadable: (where, why) of images that could not be read.
      skipped: (where, why) of files that were not looked at.
      small: images that are smaller than was asked for, and stored as they are.
      was_there: whether it had been prepared before.
    """

    folder: pathlib.Path
    images: dict[str, int]
    unreadable: list[tuple[str, str]]
    skipped: list[tuple[str, str]]
    small: int
    was_there: bool = False


def prepare(
    plan: Plan,
    identity: Identity,
    form: StoredForm,
    data_dir: str,
    complete: Mapping[str, int] | None = None,
    partial: bool = False,
) -> Prepared:
    """Prepares what a plan lists, or what is missing of it.

    Args:
      plan: what is to be prepared.
      identity: what it is called.
      form: how images are stored.
      data_dir: folder of data sets of TensorFlow Datasets.
      complete: images that each split should have; None if that is not known.
      partial: whether fewer images or classes will do.

    Returns:
      What was made.

    Raises:
      UserError: if there are too few images, or what is there already is of another plan.
    """
    folder = identity.folder(data_dir)
    wanted = {"plan": plan.digest, "form": list(form)}
    missing = shortage(plan, complete, {split: plan.counts(split) for split in plan.splits})
    if (folder / RECORD).exists():
        there = _recorded(folder, {**wanted, SIZES: _sizes_of(plan)})
        less = missing or images_missing(complete, there.images)
        if less:
            _refuse_or_say(less, partial, there.unreadable)
        return dataclasses.replace(there, was_there=True)
    if folder.exists():
        raise UserError(f"{folder} exists and was not made by prepare: give another --data_dir")
    if missing:
        _refuse_or_say(missing, partial)
    work = folder.with_name(folder.name + UNFINISHED)
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / _LOCK, timeout=0):
            _begin(work, wanted)
            # It is written last: where it is, nothing is missing.
            if not (work / RECORD).exists():
                shards = {
                    split: shards_of(work, identity.name, split, items)
                    for split, items in plan.splits.items()
                }
                sizes = _sizes_of(plan)
                outcomes = _make_all(plan, form, shards)
                counts = {split: _counts(plan, outcomes[split]) for split in shards}
                if complete is None:
                    _check_readable(plan, counts, _unreadable(outcomes))
                less = shortage(plan, complete, counts)
                if less != missing:
                    _refuse_or_say(less, partial, _unreadable(outcomes))
                _finish(work, plan, identity, form, outcomes)
                whole = None if complete is None else not less
                facts = {**wanted, SIZES: sizes, "complete": whole}
                _write_record(work, plan, outcomes, counts, facts)
            _take_place(work, folder)
    except filelock.Timeout as error:
        raise UserError(f"{work} is being prepared by another process") from error
    return dataclasses.replace(_recorded(folder, wanted), skipped=plan.skipped.listed())


def _recorded(folder: pathlib.Path, wanted: dict) -> Prepared:
    """What a data set says of itself, if it is of the same images in the same form."""
    record = read_object(folder / RECORD)
    # Earlier versions did not note the sizes of files.
    record.setdefault(SIZES, wanted.get(SIZES))
    if {name: record.get(name) for name in wanted} != wanted:
        raise UserError(
            f"{folder} was prepared of other images or in another form ({record.get('source')}, "
            f"{record.get('form')}): give another --data_dir, or move it away"
        )
    try:
        unreadable = [(where, why) for where, why in record["unreadable"]]
        return Prepared(folder, dict(record["images"]), unreadable, [], int(record["small"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / RECORD} is damaged ({one_line(error)}): restore it from a copy"
        ) from error


def _sizes_of(plan: Plan) -> str:
    return sizes_digest(item for items in plan.splits.values() for item in items)


def _take_place(work: pathlib.Path, folder: pathlib.Path) -> None:
    """Gives a data set in which nothing is missing its name."""
    for path in [work / _PLAN, work / _LOCK, *work.glob(f"*.tfrecord-*{OUTCOME}")]:
        path.unlink(missing_ok=True)
    flush_to_disk(work)
    os.rename(work, folder)
    flush_to_disk(folder.parent)


def _refuse_or_say(
    missing: list[str], partial: bool, unreadable: list[tuple[str, str]] | None = None
) -> None:
    """Raises UserError on a shortage, or says it where it is asked for."""
    text = "; ".join(missing)
    if unreadable:
        text += "; unreadable: " + ", ".join(f"{where} ({why})" for where, why in unreadable[:10])
        text += ", ..." if len(unreadable) > 10 else ""
    if not partial:
        raise UserError(f"not complete: {text}. --partial prepares what there is")
    print(f"Not complete: {text}", flush=True)


def _check_readable(
    plan: Plan, counts: Mapping[str, list[int]], unreadable: list[tuple[str, str]]
) -> None:
    """Refuses a class that a split has images of, none of which can be read."""
    for split, of_split in counts.items():
        for name, listed, read in zip(plan.class_names, plan.counts(split), of_split, strict=True):
            if listed and not read:
                first = ", ".join(f"{where} ({why})" for where, why in unreadable[:1])
                raise UserError(
                    f"no image of the class {name!r} in {split} can be read; of "
                    f"{len(unreadable)} unreadable ones the first is {first}: mend or remove them"
                )


def _begin(work: pathlib.Path, wanted: dict) -> None:
    """Notes what is being prepared, or finds that it is the same as was begun."""
    remove_left_overs(work)
    begun = next((path for name in (_PLAN, RECORD) if (path := work / name).exists()), None)
    if begun is None:
        write_atomically(work / _PLAN, json.dumps(wanted))
        return
    stored = read_object(begun, f"remove {work}, and begin anew")
    if {name: stored.get(name) for name in wanted} != wanted:
        raise UserError(
            f"{work} holds the beginning of a preparation of other images or in another form: "
            "give those, or remove it to begin anew"
        )


def _make_all(
    plan: Plan, form: StoredForm, shards: Mapping[str, list[Shard]]
) -> dict[str, list[Outcome]]:
    """Makes the record files that are missing; shows how many images there have been."""
    features = features_of(plan.class_names, form)
    outcomes: dict[str, list[Outcome]] = {split: [] for split in shards}
    done = {shard.path: finished(shard) for some in shards.values() for shard in some}
    before = sum(len(shard.items) for some in shards.values() for shard in some if done[shard.path])
    total = sum(len(items) for items in plan.splits.values())
    if before:
        print(f"Continues  {before} of {total} images are there", flush=True)
    missing = [shard for some in shards.values() for shard in some if done[shard.path] is None]
    # Decoding and encoding leave Python to other threads.
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "prepare")
    with warnings.catch_warnings(), pool as executor:
        # Of cut EXIF data, say, of images that are read all the same: it would go into the bar.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        converted = convert_all(missing, plan.content, form, executor)
        images = counted(converted, lambda _: 1, total, before)
        for split, of_split in shards.items():
            for shard in of_split:
                outcomes[split].append(done[shard.path] or make(shard, features, images))
        next(images, None)  # Which ends the bar.
    return outcomes


def _counts(plan: Plan, outcomes: list[Outcome]) -> list[int]:
    """Images of each class in the record files of a split."""
    counts = [0] * len(plan.class_names)
    for outcome in outcomes:
        for label in outcome.labels:
            counts[label] += 1
    return counts


def _unreadable(outcomes: Mapping[str, list[Outcome]]) -> list[tuple[str, str]]:
    return [entry for some in outcomes.values() for outcome in some for entry in outcome.unreadable]


def _finish(
    work: pathlib.Path,
    plan: Plan,
    identity: Identity,
    form: StoredForm,
    outcomes: Mapping[str, list[Outcome]],
) -> None:
    """Writes the metadata, and reads every record once for the index that training uses."""
    import tensorflow_datasets as tfds

    sizes = {split: [(len(x.labels), x.size) for x in some] for split, some in outcomes.items()}
    write_metadata(work, identity, features_of(plan.class_names, form), sizes)
    builder = tfds.builder_from_directory(str(work))
    try:
        for split in outcomes:
            index_of_split(builder, split)
    except UserError as error:
        advice = "remove that file, and the same command makes it anew"
        raise UserError(f"{str(error).rpartition(':')[0]}: {advice}") from error


def _write_record(
    work: pathlib.Path,
    plan: Plan,
    outcomes: Mapping[str, list[Outcome]],
    counts: Mapping[str, list[int]],
    facts: dict,
) -> None:
    """Writes what was made of what: the classes, what was left out, and numbers."""
    heads = ["label", "name", "folder", *(f"{split} images" for split in counts)]
    rows = [
        [label, name, plan.folders[label], *(of_split[label] for of_split in counts.values())]
        for label, name in enumerate(plan.class_names)
    ]
    _write_table(work / CLASSES, [heads, *rows])
    unreadable = _unreadable(outcomes)
    _write_table(work / SKIPPED, [["file", "reason"], *unreadable, *plan.skipped.listed()])
    record = {
        **facts,
        "source": plan.source,
        "images": {split: sum(of_split) for split, of_split in counts.items()},
        "small": sum(x.small for some in outcomes.values() for x in some),
        "unreadable": unreadable,
    }
    write_atomically(work / RECORD, json.dumps(record, indent=1) + "\n")


def _write_table(path: pathlib.Path, rows: list) -> None:
    lines = ["\t".join(" ".join(str(cell).split()) for cell in row) for row in rows]
    write_atomically(path, "\n".join(lines) + "\n")
