"""A run of classifier training from settings to summary: what the finetune command does."""

import pathlib

import keras

from robgan_tf.configuration import as_gin, as_markdown, flat, flat_defaults
from robgan_tf.data import load_image_data, training_batches
from robgan_tf.errors import UserError
from robgan_tf.run_directory import RunDirectory
from robgan_tf.settings import (
    ClassifierOptimizerSettings,
    DataSettings,
    FinetuneSettings,
    GapSettings,
)
from robgan_tf.training import classifier_report
from robgan_tf.training.building import (
    build_attack,
    build_classifier,
    build_optimizer,
)
from robgan_tf.training.checkpoints import BestCheckpoint, Checkpoints, load_weights
from robgan_tf.training.classifier_step import (
    ClassifierObjective,
    ClassifierPlayers,
    ClassifierStep,
    trained_variables,
)
from robgan_tf.training.classifier_task import ClassifierTask
from robgan_tf.training.distribution import check_batch_size, make_strategy
from robgan_tf.training.final_evaluation import (
    build_evaluation_attack,
    final_accuracy,
    gap_meter,
    write_gap,
)
from robgan_tf.training.generated_images import open_generated
from robgan_tf.training.loop import Rhythm, TrainingLoop
from robgan_tf.training.run_report import print_corrupt_files
from robgan_tf.training.two_stages import check_sources


class ClassifierRun:
    """One run of classifier training in one run directory.

    Nothing is read or written before `describe` or `train` is called.

    Args:
      settings: dict from settings class to instance.
      run_dir: the run directory.
      data_dir: where the data is, or None for the TFDS default.
      gan: the FinishedRun of joint training that D and G come from, or None.
      generated: path of stored images or of an exported generator to use in place of its G, or
        None.

    Raises:
      UserError: if the settings make no sense together or on this machine.
    """

    def __init__(self, settings, run_dir, data_dir=None, gan=None, generated=None):
        self._settings = settings
        self._finetune = settings[FinetuneSettings]
        self._run_dir = run_dir
        self._data_dir = data_dir
        self._gan = gan
        self._generated = generated
        check_sources(settings, gan, generated)
        self._attack = build_attack(settings)
        build_evaluation_attack(settings)  # Its numbers are refused now, not at the end.
        self._strategy = make_strategy(self._finetune.distribution, self._finetune.replicas)
        self._check_batches()

    def describe(self):
        """Prints configuration, model and data shapes, and writes nothing.

        Raises:
          UserError: if the data cannot be used or the model cannot be built.
        """
        data = self._load_data()
        players = self._build_players()
        self._build_step(players)
        classifier_report.print_plan(
            self._settings, self._strategy, data, players, self._origin(), self._run_dir
        )

    def train(self):
        """Trains from the newest checkpoint, or from the beginning, and prints a summary.

        Returns:
          The StopRequest that ended the run between two steps, or None when it is finished.

        Raises:
          UserError: if the run directory, the data or the other run cannot be used.
          NonFiniteError: if a loss or gradient becomes infinite or NaN.
        """
        run = RunDirectory(
            self._run_dir,
            {**flat(self._settings.values()), **self._origin()},
            grows="finetune.steps",
            defaults=flat_defaults(self._settings),
        )
        data = self._load_data()
        players = self._build_players()
        step = self._build_step(players)
        generated = self._open_generated(data)
        run.write_config(as_gin(self._settings.values()), data.description)
        best = BestCheckpoint(run.best_checkpoint_path, {"classifier": players.measured})
        checkpoints = Checkpoints(
            run.checkpoints_path,
            {**players.saved(), **best.objects()},
            self._finetune.keep_checkpoints,
        )
        start_step = checkpoints.restore_latest()
        if checkpoints.latest is None and self._finetune.start == "gan":
            self._start_from_gan(players)
            checkpoints.save(0)
        classifier_report.print_start(
            self._settings, self._strategy, data, self._origin(), run, start_step
        )
        stop = self._loop(run, data, step, generated, checkpoints, best, start_step)
        if stop is None:
            accuracy = final_accuracy(
                self._settings, run, data, players.measured, self._finetune.steps
            )
            write_gap(self._settings, run)
            classifier_report.print_summary(
                run, self._finetune.steps, checkpoints.latest, best, accuracy
            )
        else:
            print(f"Stopped and saved {checkpoints.latest}; the same command continues.")
        print_corrupt_files(data)
        return stop

    def _check_batches(self):
        generated = self._finetune.generated_count
        for kind, count in (
            ("real", self._finetune.batch_size - generated),
            ("generated", generated),
        ):
            check_batch_size(count, self._strategy, f"the number of {kind} images in a batch,")

    def _origin(self):
        """What the run is made from besides its settings, for its configuration.

        By name and content, so that the other run may be moved but not trained on meanwhile.
        """
        gan = None if self._gan is None else self._gan.identity
        generated = None if self._generated is None else pathlib.Path(self._generated).name
        return {"--gan_run_dir": gan, "--generated": generated}

    def _load_data(self):
        return load_image_data(**self._settings[DataSettings].loading(self._data_dir))

    def _build_players(self):
        wanted = self._finetune
        keras.utils.set_random_seed(wanted.seed)
        with self._strategy.scope():
            classifier = build_classifier(self._settings, "classifier")
            average = None
            if wanted.average_decay:
                average = build_classifier(self._settings, "average_classifier")
                _copy(classifier, average)
            optimizer = build_optimizer(
                self._settings[ClassifierOptimizerSettings],
                trained_variables(classifier),
                self._attack.steps if wanted.free else 1,
            )
        return ClassifierPlayers(classifier, average, optimizer)

    def _build_step(self, players):
        wanted = self._finetune
        objective = ClassifierObjective(
            wanted.generated_weight,
            wanted.generated_label_smoothing,
            wanted.lipschitz_weight,
            wanted.warmup_steps,
            wanted.free,
        )
        try:
            return ClassifierStep(
                players,
                self._attack,
                objective,
                strategy=self._strategy,
                seed=wanted.seed,
                average_decay=wanted.average_decay,
            )
        except ValueError as error:
            raise UserError(str(error)) from error

    def _start_from_gan(self, players):
        load_weights(self._gan.checkpoint, {"discriminator": players.classifier})
        if players.average_classifier is not None:
            _copy(players.classifier, players.average_classifier)
        print(f"D from {self._gan.checkpoint}; optimizer and steps start anew.")

    def _loop(self, run, data, step, generated, checkpoints, best, start_step):
        wanted = self._finetune
        if start_step >= wanted.steps:
            return None
        meter = gap_meter(self._settings, data, step.players.measured)
        shown = data.validation if len(data.validation) else data.train
        loop = TrainingLoop(
            ClassifierTask(step, shown, meter, self._settings[GapSettings].every, best),
            run,
            checkpoints,
            Rhythm(
                wanted.steps,
                wanted.log_every,
                wanted.picture_every,
                wanted.checkpoint_every,
            ),
            images_per_step=wanted.batch_size,
            description=as_markdown(as_gin(self._settings.values())),
        )
        return loop.run(self._batches(data, generated, start_step), start_step)

    def _open_generated(self, data):
        """Function from steps made to batches of generated images; None without any."""
        wanted = self._finetune
        if not wanted.generated_share:
            return None
        return open_generated(
            self._gan,
            self._generated,
            self._settings[DataSettings],
            data,
            wanted.generated_count,
            wanted.seed,
        )

    def _batches(self, data, generated, start_step):
        """Yields ((images, labels) of real images, the same of generated ones or None)."""
        wanted, prepared = self._finetune, self._settings[DataSettings]
        real = training_batches(
            data.train,
            batch_size=wanted.batch_size - wanted.generated_count,
            updates_per_step=1,
            seed=wanted.seed,
            start_step=start_step,
            augmentation=prepared.augmentation,
            dequantize=prepared.dequantize,
        )
        stream = None if generated is None else generated(start_step=start_step)
        for batch in real:
            yield (
                (batch["images"][0], batch["labels"][0]),
                None if stream is None else next(stream),
            )


def _copy(source, target):
    for variable, value in zip(target.variables, source.variables, strict=True):
        variable.assign(value)
