"""The tables of the report: Table 1 beside the paper's, claims, checks, times."""

import statistics
from collections.abc import Sequence

from robgan_tf.pages.page import Block, Table
from robgan_tf.pages.run_source import RunSource
from robgan_tf.reporting import format_duration, format_radius
from robgan_tf.reproduction import published
from robgan_tf.reproduction.claims import Finding, verdicts
from robgan_tf.reproduction.experiment import Member
from robgan_tf.reproduction.results import Results
from robgan_tf.reproduction.state import State
from robgan_tf.robustness.outcome import confidence_interval
from robgan_tf.typing import JsonObject

SMOKE = "Runs of this scale last seconds: they prove nothing about the claims."


def captioned(results: Results, text: str) -> str:
    """A caption, which says of a scale that cannot decide anything that it cannot.

    Args:
      results: of the experiment.
      text: the caption otherwise.
    """
    return text if results.experiment.scale.can_decide else f"{text} {SMOKE}".strip()


def claims_table(results: Results, found: Sequence[Finding]) -> Table:
    """A row a claim: what is claimed, the verdict, and the figure that says so."""
    rows = []
    for letter, outcome in verdicts(found).items():
        said_by = next(
            x for x in found if (x.claim, x.outcome, x.decides) == (letter, outcome, True)
        )
        rows.append([f"({letter}) {said_by.text}", outcome, said_by.sentence])
    return Table(["claim", "verdict", "the figure that says so"], rows, captioned(results, ""))


def comparisons_table(results: Results, found: Sequence[Finding]) -> Table:
    """A row a comparison: what was compared, the mean difference, and that of each seed."""
    rows = [
        [f"({x.claim}) {x.compared}", x.mean, x.by_seed, x.outcome if x.decides else "beside it"]
        for x in found
    ]
    header = ["compared", "mean", "seeds, 95 % intervals", "outcome"]
    return Table(header, rows, captioned(results, ""))


def rows_of_table_1(results: Results) -> list[tuple[str, str, str]]:
    """Name, kind of checkpoint and title of every row of Table 1."""
    endings = {"last": "", "best": ", best checkpoint"}
    return [
        (name, kind, plan.title + endings[kind])
        for name, plan in results.experiment.plans.items()
        if "table_1" in plan.items
        for kind in plan.evaluations
        if kind in endings
    ]


def table_1(results: Results) -> list[Block]:
    """Table 1: accuracy under PGD, ours over the seeds and the paper's beside it."""
    radii = (0.0, *results.experiment.scale.radii)
    header = ["model", "seeds"]
    for radius in radii:
        header += [f"{format_radius(radius)}, ours", "paper"]
    rows = []
    for name, kind, title in rows_of_table_1(results):
        cells = [title, str(len(results.accuracies(name, kind, radii[0])))]
        for radius in radii:
            theirs = published.table_1(results.experiment.dataset, name, kind, radius)
            cells += [_mean(results.accuracies(name, kind, radius))]
            cells += ["-" if theirs is None else f"{theirs:.2%}"]
        rows.append(cells)
    caption = (
        "Accuracy on test images under PGD of 20 steps of a fifth of the radius, no random start: "
        "the mean over the seeds, in brackets the lowest and the highest. The paper's networks are "
        "others: compare rows, not columns."
    )
    by_seed = Table(["model", "seed", *map(format_radius, radii)], _by_seed(results))
    return [Table(header, rows, captioned(results, caption)), by_seed]


def _by_seed(results: Results) -> list[list[str]]:
    rows = []
    for name, kind, title in rows_of_table_1(results):
        for seed in sorted(results.sources.get(name, {})):
            evaluation = results.evaluation(name, seed, kind)
            if evaluation is not None:
                cells = [
                    f"{row['accuracy']:.2%} ({row['interval_95'][0]:.1%} to "
                    f"{row['interval_95'][1]:.1%})"
                    for row in evaluation["radii"]
                    if row["epsilon"] in (0.0, *results.experiment.scale.radii)
                ]
                rows.append([title, str(seed), *cells])
    return rows


def cells_of_table_1(results: Results) -> JsonObject:
    """The means of Table 1 by row and radius, for programs."""
    radii = (0.0, *results.experiment.scale.radii)
    return {
        f"{name} {kind}": {
            f"{radius:g}": results.accuracies(name, kind, radius) for radius in radii
        }
        for name, kind, _ in rows_of_table_1(results)
    }


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "missing"
    if len(values) == 1:
        return f"{values[0]:.2%}"
    return f"{statistics.mean(values):.2%} ({min(values):.1%} to {max(values):.1%})"


def failed_checks(results: Results) -> list[str]:
    """What is wrong with runs: no better than chance, or not hurt by an attack."""
    return [f"{row[0]}: {row[-1]}" for row in _checks(results) if row[-1] != "as it should be"]


def checks_table(results: Results) -> Table:
    """Whether each classifier beats chance on clean images and falls under attack."""
    header = ["run", "clean", "chance", "under attack", ""]
    caption = (
        "A classifier that is no better than chance, or that no attack hurts, would make every "
        "comparison void."
    )
    return Table(header, _checks(results), captioned(results, caption))


def _checks(results: Results) -> list[list[str]]:
    rows = []
    for name, by_seed in results.sources.items():
        for seed, source in sorted(by_seed.items()):
            found = _clean_and_attacked(source)
            if found is None:
                continue
            clean, attacked, images = found
            chance = 1.0 / source.config["data.num_classes"]
            wrong = []
            if confidence_interval(clean, images)[0] <= chance:
                wrong.append("NO better than chance")
            if attacked >= clean:
                wrong.append("NOT hurt by the attack")
            said = " and ".join(wrong) or "as it should be"
            rows.append(
                [f"{name}_{seed}", f"{clean:.1%}", f"{chance:.1%}", f"{attacked:.1%}", said]
            )
    return rows


def _clean_and_attacked(source: RunSource) -> tuple[float, float, int] | None:
    """Clean accuracy, that under the strongest attack measured, and the images of the former."""
    measured = []
    for found in source.evaluations.values():
        if "clean" in found and "attacked" in found:
            measured.append((found["epsilon"], found["clean"], found["attacked"], found["images"]))
        elif "radii" in found and len(found["radii"]) > 1:
            first, last = found["radii"][0], found["radii"][-1]
            measured.append((last["epsilon"], first["accuracy"], last["accuracy"], first["images"]))
    return None if not measured else max(measured)[1:]


def runs_table(results: Results, found: Sequence[State]) -> Table:
    """Every run: where it comes from, how long it is."""
    rows = [
        [
            state.member.label,
            state.member.plan.title,
            f"{state.steps:,}",
            "committed record" if state.record else state.shown,
            f"{state.member.plan.record}/{state.record.name}" if state.record else "-",
        ]
        for state in found
    ]
    return Table(["run", "what", "steps", "state", "record"], rows, captioned(results, ""))


def times_table(results: Results) -> list[Block]:
    """What is of the clock: hours, speed, memory and machine of each run."""
    rows = []
    for name, by_seed in results.sources.items():
        for seed, source in sorted(by_seed.items()):
            last = source.sessions[-1] if source.sessions else {}
            seconds = source.seconds
            rows.append(
                [
                    Member(name, seed, results.experiment.plans[name]).label,
                    "-" if seconds is None else format_duration(seconds),
                    "-" if seconds is None else f"{1000.0 * seconds / source.step:.4g}",
                    str(last.get("peak_memory_mib", "-")),
                    str(len(source.sessions) or "-"),
                    f"{last['processor']}, {last['cores']} cores" if "processor" in last else "-",
                    f"TensorFlow {last['tensorflow']}" if "tensorflow" in last else "-",
                ]
            )
    header = ["run", "training", "ms a step", "peak memory, MiB", "sessions", "machine", "versions"]
    caption = (
        "Without evaluations and pictures. Times compare only where nothing else ran beside; those "
        "of records with a time of a step measured apart are steps of that."
    )
    return [Table(header, rows, captioned(results, caption))]
