"""Experiments that `reproduce` makes, as gin files of gin/reproduce describe them."""

import dataclasses

from robgan_tf.config.fields import Settings, setting

ITEMS = ("table_1", "figure_2", "figure_6", "figure_7", "figure_8")
EVALUATIONS = ("last", "best", "train")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleSettings(Settings):
    """`scale`: what all runs of an experiment have in common."""

    gin_name = "scale"

    about: str = setting("what the scale is, in a sentence or two")
    can_decide: bool = setting("whether it can say anything about the paper's claims", True)
    radii: tuple = setting("radii of Table 1, on images in [-1, 1], without 0", (0.02, 0.04, 0.08))
    radius: float = setting("the one that claims are judged at", 0.04, above=0.0)
    batch_size: int = setting("images at a time in evaluations", 250, minimum=1)
    train_images: int = setting("training images that the gap of claim (b) is of", 2000, minimum=1)
    evaluation_seconds: float | None = setting(
        "measured of one evaluation, for the plan", None, above=0.0
    )
    train_evaluation_seconds: float | None = setting(
        "the same of one on training images, at one radius", None, above=0.0
    )
    megabytes: float | None = setting(
        "of a trained run's directory, measured, for the plan", None, above=0.0
    )
    evaluation_megabytes: float | None = setting(
        "that an evaluation adds: the attacked images by which it can go on", None, above=0.0
    )
    measured_on: str = setting("the machine that the times of the plan were measured on")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedRun(Settings):
    """`NAME/run`: one configuration, trained with every seed."""

    gin_name = "run"

    title: str = setting("what tables call it")
    command: str = setting("that trains it", choices=("train", "finetune"))
    gin_files: tuple = setting("its --gin_file, in order")
    gin_params: tuple = setting("its --gin_param", ())
    gan: str = setting("name of the run of the same seed that --gan_run_dir is; '' for none", "")
    seeds: tuple = setting("of its runs")
    evaluations: tuple = setting(
        "of accuracy under attack: `last` and `best` checkpoint on test images, and `train`, the "
        "last on training images",
        (),
    )
    items: tuple = setting(f"what needs it, of {', '.join(ITEMS)}")
    record: str = setting(
        "folder of committed records below docs/results, which count where their settings are the "
        "same; '' for none",
        "",
    )
    seconds_per_step: float | None = setting("measured, for the plan", None, above=0.0)
