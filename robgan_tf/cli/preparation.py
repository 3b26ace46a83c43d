"""Flags of the kinds of `prepare`, and what they print."""

import time
from typing import TYPE_CHECKING

from robgan_tf.cli import values
from robgan_tf.cli.parser import Parser
from robgan_tf.reporting.console import format_duration

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.data.preparation.picture import StoredForm
    from robgan_tf.data.preparation.plan import Plan
    from robgan_tf.data.preparation.prepare import Prepared

KEPT = "every finished record file is whole; the same command goes on with the next"
_SHOWN = 10


def add_places(parser: Parser, source: str) -> None:
    """The flags of where images come from, and where they go."""
    parser.flag("source", source, values.path, form="PATH")
    parser.flag(
        "data_dir",
        "The folder of TensorFlow Datasets to put it in; the --data_dir of training.",
        values.path,
        form="DIR",
    )


def add_encoding(parser: Parser) -> None:
    """The flag of how images are stored."""
    parser.flag(
        "encoding",
        "jpeg (quality 95, colours at full resolution) or png, which loses nothing and is "
        "several times as large.",
        values.one_of("jpeg", "png"),
        default="jpeg",
        form="FORM",
    )


def say_plan(plan: "Plan", form: "StoredForm") -> None:
    """Says what will be prepared."""
    counts = [f"{len(items)} images of {split}" for split, items in plan.splits.items()]
    print(f"Source     {plan.source}: {', '.join(counts)}")
    print(
        f"Stored     shorter side {form.side} px, {form.encoding}, "
        f"{'RGB' if form.channels == 3 else 'grayscale'}",
        flush=True,
    )


def say_prepared(prepared: "Prepared", name: str, began: float) -> None:
    """Says what was prepared."""
    before = "  there before: nothing was to be done" if prepared.was_there else ""
    print(f"Prepared   {name}{before}")
    counts = ", ".join(f"{count} {split}" for split, count in prepared.images.items())
    print(f"  images     {counts}")
    if prepared.small:
        print(f"  small      {prepared.small} images are smaller and stored as they are")
    for title, entries in (("unreadable", prepared.unreadable), ("skipped", prepared.skipped)):
        for place, (where, why) in enumerate(entries[:_SHOWN]):
            print(f"  {title if not place else '':<11}{where}: {why}")
        if len(entries) > _SHOWN:
            print(f"  {'':<11}and {len(entries) - _SHOWN} more, in skipped.tsv")
    print(f"  written    {prepared.folder}")
    print(f"  time       {format_duration(time.monotonic() - began)}")
