"""A joint training run from settings to summary: what the train command does."""

import os

from robgan_tf.configuration import as_gin, as_markdown, flat, flat_defaults
from robgan_tf.data import load_image_data, training_batches
from robgan_tf.errors import UserError
from robgan_tf.evaluation.feature_extractors import PIXELS
from robgan_tf.run_directory import RunDirectory
from robgan_tf.settings import (
    AlarmSettings,
    DataSettings,
    DiscriminatorSettings,
    GapSettings,
    QualitySettings,
    TrainSettings,
)
from robgan_tf.training import run_report
from robgan_tf.training.checkpoints import (
    BestCheckpoint,
    Checkpoints,
    checkpoint_of_step,
    load_weights,
)
from robgan_tf.training.distribution import check_batch_size, make_strategy
from robgan_tf.training.final_evaluation import (
    build_evaluation_attack,
    final_accuracy,
    gap_meter,
    write_gap,
)
from robgan_tf.training.gan_evaluations import GanEvaluations
from robgan_tf.training.gan_task import GanTask
from robgan_tf.training.joint import (
    build_adversary,
    build_players,
    build_step,
)
from robgan_tf.training.loop import Rhythm, TrainingLoop
from robgan_tf.training.opened_features import open_features
from robgan_tf.training.quality_meter import quality_meter


class JointRun:
    """One run of joint training in one run directory.

    Nothing is read or written before `describe` or `train` is called.

    Args:
      settings: dict from settings class to instance.
      run_dir: the run directory.
      data_dir: where the data is, or None for the TFDS default.
      warm_start: run directory whose newest weights a new run starts from, or None.
      features: what image quality is measured on while training; see `open_features`.

    Raises:
      UserError: if the settings make no sense together or on this machine.
    """

    def __init__(self, settings, run_dir, data_dir=None, warm_start=None, features=PIXELS):
        self._settings = settings
        self._run_dir = run_dir
        self._data_dir = data_dir
        self._warm_start = warm_start
        self._features = features
        self._adversary = build_adversary(settings)
        build_evaluation_attack(settings)  # Its numbers are refused now, not at the end.
        train = settings[TrainSettings]
        _check_best(settings[QualitySettings], train.steps)
        self._strategy = make_strategy(train.distribution, train.replicas)
        check_batch_size(train.batch_size, self._strategy)

    def describe(self):
        """Prints configuration, models and data shapes, and writes nothing.

        Raises:
          UserError: if the data cannot be used or the models cannot be built.
        """
        data = self._load_data()
        players = build_players(self._settings, self._strategy, self._adversary.replays)
        run_report.print_plan(self._settings, self._strategy, data, players, self._run_dir)

    def train(self):
        """Trains from the newest checkpoint, or from the beginning, and prints a summary.

        Returns:
          The StopRequest that ended the run between two steps, or None when it is finished.

        Raises:
          UserError: if the run directory or the data cannot be used.
          NonFiniteError: if a loss or gradient becomes infinite or NaN.
          CollapseError: at an alarm, if `alarms.stop` is set.
        """
        extractor = self._open_extractor()
        config = {
            **flat(self._settings.values()),
            "--warm_start": self._warm_start,
            "--features": None if self._features == PIXELS else extractor.identity,
        }
        defaults = flat_defaults(self._settings)
        run = RunDirectory(self._run_dir, config, grows="train.steps", defaults=defaults)
        data = self._load_data()
        players = build_players(self._settings, self._strategy, self._adversary.replays)
        best = self._best(run, players)
        evaluations = self._evaluations(run, data, players, extractor, best)
        run.write_config(as_gin(self._settings.values()), data.description)
        keep = self._settings[TrainSettings].keep_checkpoints
        objects = {**vars(players), **({} if best is None else best.objects())}
        checkpoints = Checkpoints(run.checkpoints_path, objects, keep)
        start_step = self._start(checkpoints, players)
        run_report.print_start(self._settings, self._strategy, data, run, start_step)
        evaluations.print_description()
        stop = self._loop(run, data, evaluations, checkpoints, players, start_step)
        if stop is None:
            steps = self._settings[TrainSettings].steps
            accuracy = None
            if self._has_class_head:
                accuracy = final_accuracy(self._settings, run, data, players.discriminator, steps)
                write_gap(self._settings, run)
            run_report.print_summary(run, steps, checkpoints.latest, accuracy)
            if best is not None:
                run_report.print_best(self._settings[QualitySettings].best, best)
        else:
            print(f"Stopped and saved {checkpoints.latest}; the same command continues.")
        run_report.print_corrupt_files(data)
        return stop

    @property
    def _has_class_head(self):
        return self._settings[DiscriminatorSettings].has_class_head

    def _evaluations(self, run, data, players, extractor, best):
        gap_every, quality = self._settings[GapSettings].every, self._settings[QualitySettings]
        of_gap = of_quality = None
        if self._has_class_head:
            of_gap = gap_meter(self._settings, data, players.discriminator)
        if 0 < quality.every <= self._settings[TrainSettings].steps:
            of_quality = quality_meter(self._settings, run, data, players, extractor)
        return GanEvaluations(of_gap, gap_every, of_quality, quality.every, best)

    def _open_extractor(self):
        prepared = self._settings[DataSettings]
        return open_features(self._features, prepared.resolution, prepared.channels)

    def _load_data(self):
        return load_image_data(**self._settings[DataSettings].loading(self._data_dir))

    def _best(self, run, players):
        """Keeps the models that a measure of quality is best for; None if it is not asked for."""
        if self._settings[QualitySettings].best == "none":
            return None
        return BestCheckpoint(run.best_checkpoint_path, _models(players))

    def _start(self, checkpoints, players):
        step = checkpoints.restore_latest()
        if checkpoints.latest is None and self._warm_start is not None:
            models = _models(players)
            loaded = checkpoint_of_step(os.path.join(self._warm_start, "checkpoints"))
            load_weights(loaded, models)
            print(f"Weights from {loaded}; optimizers and steps start anew.")
            # The other run may train on; this one shall always start from the same weights.
            checkpoints.save(0)
        return step

    def _loop(self, run, data, evaluations, checkpoints, players, start_step):
        train, data_settings = self._settings[TrainSettings], self._settings[DataSettings]
        if start_step >= train.steps:
            return None
        gan_step = build_step(self._settings, players, self._adversary, self._strategy)
        loop = TrainingLoop(
            GanTask(gan_step, data.validation if len(data.validation) else data.train, evaluations),
            run,
            checkpoints,
            Rhythm(
                train.steps,
                train.log_every,
                train.sample_every,
                train.checkpoint_every,
            ),
            images_per_step=train.discriminator_updates * train.batch_size,
            description=as_markdown(as_gin(self._settings.values())),
            stop_at_alarm=self._settings[AlarmSettings].stop,
        )
        batches = training_batches(
            data.train,
            batch_size=train.batch_size,
            updates_per_step=train.discriminator_updates,
            seed=train.seed,
            start_step=start_step,
            augmentation=data_settings.augmentation,
            dequantize=data_settings.dequantize,
        )
        return loop.run(batches, start_step)


def _check_best(quality, steps):
    if quality.best != "none" and quality.every > steps:
        raise UserError(
            f"quality.best = {quality.best!r} needs a measurement: quality.every = {quality.every} "
            f"is above train.steps = {steps}"
        )


def _models(players):
    names = ("generator", "discriminator", "average_generator")
    return {name: getattr(players, name) for name in names}
