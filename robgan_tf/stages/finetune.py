"""Stage 2, training of the classifier, and its baselines: what the finetune command does."""

import pathlib
from collections.abc import Callable, Collection, Iterator, Sequence

import keras
from typing_extensions import override

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.data import ImageData, training_batches
from robgan_tf.errors import UserError
from robgan_tf.extensions import Extension
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.checkpoints import load_weights
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.stages import finetune_report
from robgan_tf.stages.agreement import check_sources
from robgan_tf.stages.build import (
    build_attack,
    build_classifier,
    build_objective,
    build_optimizer,
)
from robgan_tf.stages.finetune_task import FinetuneTask
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.stages.generated_stream import open_generated
from robgan_tf.stages.stage import Built, Stage
from robgan_tf.training.distribution import check_batch_size
from robgan_tf.training.finetune_step import (
    FinetunePlayers,
    FinetuneStep,
    trained_variables,
)
from robgan_tf.watching.final_evaluation import gap_meter


class FinetuneStage(Stage):
    """One run of classifier training in one run directory.

    Args:
      config: of the stage.
      run_dir: the run directory.
      data_dir: where the data is, or None for the TFDS default.
      gan: the run of joint training that D and G come from, or None.
      generated: path of stored images or of an exported generator to use in place of its G, or
        None.
      extensions: programs that have been loaded, whose choices the configuration may name.
      allowed_changes: as in `Stage`.

    Raises:
      UserError: if the configuration makes no sense in itself or on this machine.
    """

    config: FinetuneConfig

    def __init__(
        self,
        config: FinetuneConfig,
        run_dir: str,
        data_dir: str | None = None,
        gan: FinishedRun | None = None,
        generated: str | None = None,
        extensions: Sequence[Extension] = (),
        allowed_changes: Collection[str] = (),
    ):
        self._gan = gan
        self._generated = generated
        check_sources(config, gan, generated)
        self._attack = build_attack(config.finetune.attack, config.attack)
        super().__init__(config, run_dir, data_dir, extensions, allowed_changes)
        self._check_batches()
        self.images_per_step = config.finetune.batch_size

    @override
    def origin(self) -> dict[str, str | None]:
        # By name and content, so that the other run may be moved but not trained on meanwhile.
        gan = None if self._gan is None else self._gan.identity
        generated = None if self._generated is None else pathlib.Path(self._generated).name
        return {"--gan_run_dir": gan, "--generated": generated}

    @override
    def build_players(self) -> FinetunePlayers:
        wanted = self.config.finetune
        keras.utils.set_random_seed(wanted.seed)
        with self.strategy.scope():
            classifier = build_classifier(self.config, "classifier")
            average = None
            if wanted.average_decay:
                average = build_classifier(self.config, "average_classifier")
                _copy(classifier, average)
            optimizer = build_optimizer(
                self.config.classifier_optimizer,
                trained_variables(classifier),
                self._attack.steps if wanted.free else 1,
            )
        return FinetunePlayers(classifier, average, optimizer)

    @override
    def build_step(self, players: FinetunePlayers) -> FinetuneStep:
        wanted = self.config.finetune
        objective = build_objective(wanted)
        try:
            return FinetuneStep(
                players,
                self._attack,
                objective,
                strategy=self.strategy,
                seed=wanted.seed,
                average_decay=wanted.average_decay,
                accumulation_steps=wanted.accumulation_steps,
            )
        except ValueError as error:
            raise UserError(str(error)) from error

    @override
    def build(
        self,
        run: RunDirectory | None,
        data: ImageData,
        players: FinetunePlayers,
        step: FinetuneStep,
    ) -> Built:
        generated = self._open_generated(data)
        best = None
        if run is not None:
            best = BestCheckpoint(run.best_checkpoint_path, {"classifier": players.measured})
        meter = gap_meter(self.config, data, players.measured)
        shown = data.validation if len(data.validation) else data.train
        return Built(
            task=FinetuneTask(step, shown, meter, self.config.gap.every, best),
            saved=players.saved(),
            batches=lambda start_step: self._batches(data, generated, start_step),
            measured=players.measured,
            best=best,
        )

    @override
    def load_other_weights(self, players: FinetunePlayers) -> bool:
        if self._gan is None or self.config.finetune.start != "gan":
            return False
        load_weights(self._gan.checkpoint, {"discriminator": players.classifier})
        if players.average_classifier is not None:
            _copy(players.classifier, players.average_classifier)
        print(f"D from {self._gan.checkpoint}; optimizer and steps start anew.")
        return True

    @override
    def print_plan(self, data: ImageData, players: FinetunePlayers) -> None:
        finetune_report.print_plan(
            self.config, self.strategy, data, players, self.origin(), self.run_dir
        )

    @override
    def print_start(
        self, run: RunDirectory, data: ImageData, built: Built, start_step: int
    ) -> None:
        finetune_report.print_start(
            self.config, self.strategy, data, self.origin(), run, start_step
        )

    @override
    def print_summary(
        self, run: RunDirectory, built: Built, checkpoint: str | None, accuracy: dict | None
    ) -> None:
        steps = self.config.finetune.steps
        finetune_report.print_summary(run, steps, checkpoint, built.best, accuracy)

    @override
    def trained_classes(self) -> tuple[str, ...] | None:
        """Those of the GAN's run on the same data where this run is yet to begin."""
        gan = self._gan
        of_gan = None if gan is None or gan.config.data != self.config.data else gan.class_names
        return super().trained_classes() or of_gan

    def _check_batches(self) -> None:
        wanted = self.config.finetune
        generated = wanted.generated_count
        for kind, count in (
            ("real", wanted.batch_size - generated),
            ("generated", generated),
        ):
            check_batch_size(
                count,
                self.strategy,
                f"the number of {kind} images in a batch,",
                wanted.accumulation_steps,
            )

    def _open_generated(self, data: ImageData) -> Callable[..., Iterator] | None:
        """Function from steps made to batches of generated images; None without any."""
        wanted = self.config.finetune
        if not wanted.generated_share:
            return None
        return open_generated(
            self._gan,
            self._generated,
            self.config.data,
            data,
            wanted.generated_count,
            wanted.seed,
            self.workers.rows(wanted.generated_count, wanted.accumulation_steps),
        )

    def _batches(
        self, data: ImageData, generated: Callable[..., Iterator] | None, start_step: int
    ) -> Iterator[tuple]:
        """Yields ((images, labels) of real images, the same of generated ones or None)."""
        wanted, prepared = self.config.finetune, self.config.data
        count = wanted.batch_size - wanted.generated_count
        real = training_batches(
            data.train,
            batch_size=count,
            updates_per_step=1,
            seed=wanted.seed,
            start_step=start_step,
            augmentation=prepared.augmentation,
            dequantize=prepared.dequantize,
            rows=self.workers.rows(count, wanted.accumulation_steps),
        )
        stream = None if generated is None else generated(start_step=start_step)
        for batch in real:
            yield (
                (batch["images"][0], batch["labels"][0]),
                None if stream is None else next(stream),
            )


def _copy(source: keras.Model, target: keras.Model) -> None:
    for variable, value in zip(target.variables, source.variables, strict=True):
        variable.assign(value)
