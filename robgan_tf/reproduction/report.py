"""The report of an experiment: tables and figures beside the paper's, and what they say."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from robgan_tf.files import write_atomically
from robgan_tf.pages.page import Block, Code, Page, Section, Text, Written
from robgan_tf.pages.run_source import RunSource, read_source
from robgan_tf.pages.write import write_page
from robgan_tf.reproduction import claims, drawn, tables
from robgan_tf.reproduction.experiment import SCALES, Experiment
from robgan_tf.reproduction.jobs import jobs_of
from robgan_tf.reproduction.results import Results
from robgan_tf.reproduction.state import State, record_of

# Sections that are of the clock and of the machine: of two equal experiments they may differ.
CLOCK_SECTIONS = ("Time, memory and machine",)
_FIGURES = {
    "figure_2": ("Figure 2: the gap of adversarial training", drawn.figure_2),
    "figure_6": ("Figure 6: fine-tuning", drawn.figure_6),
    "figure_7": ("Figure 7: images by class", drawn.figure_7),
    "figure_8": ("Figure 8: who learns faster", drawn.figure_8),
}


def collect(experiment: Experiment, found: Mapping[str, State]) -> Results:
    """Reads the records of all runs that are done; makes those that are missing.

    Args:
      experiment: of them.
      found: the state of every run, by its label.
    """
    sources: dict[str, dict[int, RunSource]] = {}
    for state in found.values():
        path = record_of(experiment, state)
        if path is not None:
            sources.setdefault(state.member.name, {})[state.member.seed] = read_source(path)
    return Results(experiment, sources)


def write_report(
    results: Results, found: Mapping[str, State], failed: Mapping[str, str]
) -> Written:
    """Writes report.html, report.md and, for programs, report.json.

    Args:
      results: of the experiment.
      found: the state of every run, by its label.
      failed: jobs that did not succeed, and how they ended.
    """
    experiment = results.experiment
    judged = claims.findings(results)
    page = Page(
        f"Rob-GAN, reproduced: {', '.join(x.replace('_', ' ').title() for x in experiment.items)}",
        f"{experiment.dataset}, scale {experiment.scale_name}. {experiment.scale.about} The paper "
        "is Liu and Hsieh, CVPR 2019. Radii are on images in [-1, 1], in brackets as k/255 of "
        "[0, 1].",
        [x for x in _sections(results, list(found.values()), failed, judged) if x.blocks],
    )
    content = {
        "dataset": experiment.dataset,
        "scale": experiment.scale_name,
        "items": experiment.items,
        "verdicts": claims.verdicts(judged),
        "findings": [dataclasses.asdict(finding) for finding in judged],
        "table_1": tables.cells_of_table_1(results),
        "failed_checks": tables.failed_checks(results),
    }
    write_atomically(experiment.out / "report.json", json.dumps(content, indent=1) + "\n")
    return write_page(experiment.out, page)


def _sections(
    results: Results,
    found: Sequence[State],
    failed: Mapping[str, str],
    judged: Sequence[claims.Finding],
) -> list[Section]:
    experiment = results.experiment
    sections = [Section("What it says", _claims(results, found, failed, judged))]
    if "table_1" in experiment.items:
        title = "Table 1: accuracy under attack"
        sections.append(Section(title, tables.table_1(results)))
    for item, (title, draw) in _FIGURES.items():
        if item in experiment.items:
            sections.append(Section(title, draw(results)))
    return [
        *sections,
        Section("Are the classifiers sound", [tables.checks_table(results)]),
        Section("Runs", [tables.runs_table(results, found)]),
        Section("Time, memory and machine", tables.times_table(results)),
        Section("Every command", [Code(_commands(experiment))], is_folded=True),
        Section("The published scale", _published(experiment)),
    ]


def _claims(
    results: Results,
    found: Sequence[State],
    failed: Mapping[str, str],
    judged: Sequence[claims.Finding],
) -> list[Block]:
    blocks: list[Block] = []
    if not results.experiment.scale.can_decide:
        blocks.append(Text(tables.SMOKE, is_note=True))
    missing = [state.member.label for state in found if not state.is_done]
    if missing:
        blocks.append(Text(f"Not finished, and left out: {', '.join(missing)}.", is_note=True))
    blocks += [Text(f"{name} {how}", is_note=True) for name, how in failed.items()]
    blocks += [Text(line, is_note=True) for line in tables.failed_checks(results)]
    if judged:
        blocks += [tables.claims_table(results, judged), Text(claims.RULE)]
        blocks.append(tables.comparisons_table(results, judged))
        blocks.append(
            Text(
                "Differences of accuracy are paired, image by image, on the same images. Those of "
                "the Fréchet distance are paired by step; their interval is that of the mean "
                "over measurements of one run, which are not independent."
            )
        )
    return blocks


def _commands(experiment: Experiment) -> str:
    jobs = [job for member in experiment.members for job in jobs_of(experiment, member)]
    return "\n".join([f"$ {command_of(experiment)}", *(f"$ {job.shown}" for job in jobs)])


def command_of(experiment: Experiment, scale_name: str | None = None) -> str:
    """The command that makes an experiment, at its own scale or another.

    Args:
      experiment: it.
      scale_name: one of SCALES.
    """
    words = ["--{}={}".format(*item.split("_")) for item in experiment.items]
    out = experiment.out if scale_name is None else pathlib.Path("DIR")
    words += [f"--dataset={experiment.dataset}", f"--scale={scale_name or experiment.scale_name}"]
    words.append(f"--out={out}")
    words += [f"--data_dir={experiment.data_dir}"] if experiment.data_dir else []
    words += [f"--features={experiment.features}"] if experiment.features else []
    return " ".join(["robgan-tf reproduce", *words])


def _published(experiment: Experiment) -> list[Block]:
    if experiment.dataset == "digits" or experiment.scale_name == SCALES[0]:
        return []
    text = (
        "The published widths and lengths are out of reach of CPUs: a step of gin/cifar10.gin "
        "takes 0.21 s on one H200, its 65,000 steps 3.9 hours. On such a machine:"
    )
    return [Text(text), Code(f"$ {command_of(experiment, SCALES[0])} --plan")]
