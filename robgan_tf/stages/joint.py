"""Stage 1, joint training of the three players: what the train command does."""

from collections.abc import Collection, Iterable, Sequence

import tensorflow as tf
from typing_extensions import override

from robgan_tf.config.groups import QualitySettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import ImageData, ImageSource, training_batches
from robgan_tf.errors import UserError
from robgan_tf.extensions import Extension
from robgan_tf.quality.extractors import PIXELS, FeatureExtractor
from robgan_tf.runs.archive import run_directory
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.checkpoints import checkpoint_of_step, load_weights
from robgan_tf.runs.directory import CHECKPOINTS, RunDirectory
from robgan_tf.stages import joint_report
from robgan_tf.stages.build_joint import build_adversary, build_players, build_step
from robgan_tf.stages.features import open_features
from robgan_tf.stages.joint_task import JointTask
from robgan_tf.stages.stage import Built, Stage
from robgan_tf.training.cluster import ONE_WORKER, Workers
from robgan_tf.training.distribution import check_batch_size
from robgan_tf.training.joint_gradients import JointPlayers
from robgan_tf.training.joint_step import JointStep
from robgan_tf.watching.evaluations import JointEvaluations
from robgan_tf.watching.final_evaluation import gap_meter
from robgan_tf.watching.quality import quality_meter


class JointStage(Stage):
    """One run of joint training in one run directory.

    Args:
      config: of the stage.
      run_dir: the run directory.
      data_dir: where the data is, or None for the TFDS default.
      warm_start: run directory whose newest weights a new run starts from, or None.
      features: what image quality is measured on while training; see `open_features`.
      extensions: programs that have been loaded, whose choices the configuration may name.
      allowed_changes: as in `Stage`.

    Raises:
      UserError: if the configuration makes no sense in itself or on this machine.
    """

    config: JointConfig

    def __init__(
        self,
        config: JointConfig,
        run_dir: str,
        data_dir: str | None = None,
        warm_start: str | None = None,
        features: str = PIXELS,
        extensions: Sequence[Extension] = (),
        allowed_changes: Collection[str] = (),
    ) -> None:
        self._warm_start = warm_start
        self._features = features
        self._opened: FeatureExtractor | None = None
        self._adversary = build_adversary(config)
        _check_best(config.quality, config.train.steps)
        super().__init__(config, run_dir, data_dir, extensions, allowed_changes)
        parts = config.train.accumulation_steps
        check_batch_size(config.train.batch_size, self.strategy, accumulation_steps=parts)
        check_batch_size(
            config.train.images_in_generator_update,
            self.strategy,
            "train.generator_batch_size =",
            parts,
        )
        self.images_per_step = config.train.discriminator_updates * config.train.batch_size
        self.stop_at_alarm = config.alarms.stop

    @override
    def origin(self) -> dict[str, str | None]:
        return {
            "--warm_start": self._warm_start,
            "--features": None if self._features == PIXELS else self._extractor().identity,
        }

    @override
    def build_players(self) -> JointPlayers:
        return build_players(self.config, self.strategy, self._adversary.replays)

    @override
    def build_step(self, players: JointPlayers) -> JointStep:
        return build_step(self.config, players, self._adversary, self.strategy)

    @override
    def build(
        self, run: RunDirectory | None, data: ImageData, players: JointPlayers, step: JointStep
    ) -> Built:
        best = None
        if run is not None and self.config.quality.best != "none":
            best = BestCheckpoint(run.best_checkpoint_path, _models(players))
        evaluations = JointEvaluations(None, 0, None, 0, None)
        if run is not None:
            evaluations = self._evaluations(run, data, players, best)
        shown = data.validation if len(data.validation) else data.train
        return Built(
            task=JointTask(step, shown, evaluations),
            saved=vars(players),
            batches=lambda start_step: joint_batches(
                self.config, data.train, start_step, self.workers
            ),
            measured=players.discriminator if self._has_class_head else None,
            best=best,
            description=evaluations.description(),
        )

    @override
    def load_other_weights(self, players: JointPlayers) -> bool:
        if self._warm_start is None:
            return False
        loaded = checkpoint_of_step(run_directory(self._warm_start) / CHECKPOINTS)
        load_weights(loaded, _models(players))
        print(f"Weights from {loaded}; optimizers and steps start anew.")
        return True

    @override
    def print_plan(self, data: ImageData, players: JointPlayers) -> None:
        joint_report.print_plan(self.config, self.strategy, data, players, self.run_dir)

    @override
    def print_start(
        self, run: RunDirectory, data: ImageData, built: Built, start_step: int
    ) -> None:
        joint_report.print_start(self.config, self.strategy, data, run, start_step)
        if built.description is not None:
            print(built.description, flush=True)

    @override
    def print_summary(
        self, run: RunDirectory, built: Built, checkpoint: str | None, accuracy: dict | None
    ) -> None:
        joint_report.print_summary(run, self.config.train.steps, checkpoint, accuracy)
        if built.best is not None:
            joint_report.print_best(self.config.quality.best, built.best)

    @property
    def _has_class_head(self) -> bool:
        return self.config.discriminator.has_class_head

    def _extractor(self) -> FeatureExtractor:
        if self._opened is None:
            prepared = self.config.data
            self._opened = open_features(self._features, prepared.resolution, prepared.channels)
        return self._opened

    def _evaluations(
        self,
        run: RunDirectory,
        data: ImageData,
        players: JointPlayers,
        best: BestCheckpoint | None,
    ) -> JointEvaluations:
        gap_every, quality = self.config.gap.every, self.config.quality
        of_gap = of_quality = None
        if self._has_class_head:
            of_gap = gap_meter(self.config, data, players.discriminator)
        if 0 < quality.every <= self.config.train.steps:
            of_quality = quality_meter(self.config, run, data, players, self._extractor())
        return JointEvaluations(of_gap, gap_every, of_quality, quality.every, best)


def joint_batches(
    config: JointConfig,
    source: ImageSource,
    start_step: int = 0,
    workers: Workers = ONE_WORKER,
) -> Iterable[dict[str, tf.Tensor]]:
    """The real images of joint training from a step on, as `data.training_batches` gives them.

    Args:
      config: of the run.
      source: ImageSource of the training images.
      start_step: steps already made.
      workers: of the run, of whose part of each batch they are.
    """
    train, prepared = config.train, config.data
    return training_batches(
        source,
        batch_size=train.batch_size,
        updates_per_step=train.discriminator_updates,
        seed=train.seed,
        start_step=start_step,
        augmentation=prepared.augmentation,
        dequantize=prepared.dequantize,
        rows=workers.rows(train.batch_size, train.accumulation_steps),
    )


def _check_best(quality: QualitySettings, steps: int) -> None:
    if quality.best != "none" and quality.every > steps:
        raise UserError(
            f"quality.best = {quality.best!r} needs a measurement: quality.every = {quality.every} "
            f"is above train.steps = {steps}"
        )


def _models(players: JointPlayers) -> dict:
    names = ("generator", "discriminator", "average_generator")
    return {name: getattr(players, name) for name in names}
