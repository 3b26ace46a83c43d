"""An experiment: which runs a table or a figure needs, and where each of them is."""

import dataclasses
import pathlib
from collections.abc import Sequence

from robgan_tf.config import shipped
from robgan_tf.config.configuration import as_gin
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config, read_experiment
from robgan_tf.config.joint import JointConfig
from robgan_tf.config.reproduction import PlannedRun, ScaleSettings
from robgan_tf.errors import UserError

SCALES = ("paper", "small", "smoke")
_FOLDER = "gin/reproduce"
# As `finetune` takes them over from --gan_run_dir.
_SHARED_GROUPS = ("data", "discriminator")


@dataclasses.dataclass(frozen=True)
class Member:
    """One run of an experiment: a configuration with a seed.

    Attributes:
      name: of the configuration.
      seed: its seed.
      plan: how it is made.
    """

    name: str
    seed: int
    plan: PlannedRun

    @property
    def label(self) -> str:
        """Its name, also of its directory."""
        return f"{self.name}_{self.seed}"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What is to be reproduced, and where.

    Attributes:
      dataset: "cifar10", "digits" or "imagenet143".
      scale_name: one of SCALES.
      items: tables and figures, of `config.reproduction.ITEMS`.
      scale: what all runs have in common.
      plans: dict from name to PlannedRun, of those that the items need.
      out: the folder of all results.
      data_dir: of the data, or None.
      features: what image quality is measured on, or None for the default.
      records: folder of committed records.
    """

    dataset: str
    scale_name: str
    items: tuple[str, ...]
    scale: ScaleSettings
    plans: dict[str, PlannedRun]
    out: pathlib.Path
    data_dir: str | None
    features: str | None
    records: pathlib.Path

    @property
    def members(self) -> list[Member]:
        """Every run, seed by seed, so that whole rows of a table come early."""
        found = [
            Member(name, seed, plan) for name, plan in self.plans.items() for seed in plan.seeds
        ]
        return sorted(found, key=lambda member: member.seed)

    def run_dir(self, member: Member) -> pathlib.Path:
        """Where a run is trained."""
        return self.out / "runs" / member.label

    def record_path(self, member: Member) -> pathlib.Path:
        """The record that is made of it here."""
        return self.out / "records" / member.name / f"{member.seed}.json"

    def committed_path(self, member: Member) -> pathlib.Path | None:
        """Where a record of it may have been committed."""
        if not member.plan.record:
            return None
        return self.records / member.plan.record / f"{member.seed}.json"

    def gan_of(self, member: Member) -> Member | None:
        """The run of joint training that it starts from."""
        if not member.plan.gan:
            return None
        return Member(member.plan.gan, member.seed, self.plans[member.plan.gan])

    def config_of(self, member: Member) -> JointConfig | FinetuneConfig:
        """The configuration that its command gives it.

        Raises:
          UserError: if its gin files make none.
        """
        plan = member.plan
        params = [*plan.gin_params, f"{group_of(plan)}.seed={member.seed}"]
        if plan.command == "train":
            return read_config(JointConfig, plan.gin_files, params)
        gan = self.gan_of(member)
        below = ""
        if gan is not None:
            of_gan = self.config_of(gan)
            below = as_gin(getattr(of_gan, name) for name in _SHARED_GROUPS)
        return read_config(FinetuneConfig, plan.gin_files, params, below)


def group_of(plan: PlannedRun) -> str:
    """The group of its settings that the seed and the length are in."""
    return plan.command  # "train" and "finetune" are both.


def open_experiment(
    items: Sequence[str],
    dataset: str,
    scale_name: str,
    out: pathlib.Path,
    data_dir: str | None = None,
    features: str | None = None,
    records: pathlib.Path | None = None,
) -> Experiment:
    """Reads the description of an experiment.

    Args:
      items: tables and figures.
      dataset: of it.
      scale_name: of it.
      out: the folder of all results.
      data_dir: of the data, or None.
      features: what image quality is measured on, or None for the default.
      records: folder of committed records; that of the clone if None.

    Raises:
      UserError: if there is no such experiment, or it cannot make an item.
    """
    path = f"{_FOLDER}/{dataset}_{scale_name}.gin"
    if shipped.find(path) is None:
        known = sorted(x.stem for x in (shipped.ROOT / _FOLDER).glob("*.gin"))
        pairs = ", ".join("--dataset={} --scale={}".format(*x.rsplit("_", 1)) for x in known)
        raise UserError(
            f"there is no --dataset={dataset} at --scale={scale_name}; there are {pairs}"
        )
    scale, plans = read_experiment(path)
    for item in items:
        if not any(item in plan.items for plan in plans.values()):
            raise UserError(f"{path} has no run for {item.replace('_', ' ')}")
    wanted = {name for name, plan in plans.items() if set(items) & set(plan.items)}
    wanted |= {plans[name].gan for name in wanted} - {""}
    return Experiment(
        dataset,
        scale_name,
        tuple(items),
        scale,
        {name: plan for name, plan in plans.items() if name in wanted},
        out,
        data_dir,
        features,
        records or shipped.ROOT / "docs" / "results",
    )
