"""The sequence of a training run, from configuration to summary: the same for both stages."""

import abc
import dataclasses
import json
import math
import pathlib
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf import __version__
from robgan_tf.config import numerics
from robgan_tf.config.configuration import as_markdown
from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.groups import FIRST_READING, READING
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import ImageData, load_image_data
from robgan_tf.data.overlap import overlap_warning
from robgan_tf.extensions import CONFIG_KEY, Extension, keep_copies, recorded
from robgan_tf.json_file import read_object
from robgan_tf.reporting.metrics_lines import mend
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.checkpoints import Checkpoints, checkpoint_of_step, load_weights
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.runs.directory import CHECKPOINTS, RunDirectory
from robgan_tf.runs.following import FollowingLoop
from robgan_tf.runs.kept_records import (
    lost_lines,
    refuse_change_of_the_past,
    refuse_to_begin_over,
)
from robgan_tf.runs.loop import Rhythm, TrainingLoop, TrainingTask
from robgan_tf.runs.sessions import begin_session, end_session
from robgan_tf.runs.stopping import StopRequest, keeping
from robgan_tf.stages.finished import data_record, trained_classes
from robgan_tf.stages.report import print_corrupt_files
from robgan_tf.training.cluster import workers_of_environment
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.threads import set_threads
from robgan_tf.training.workers import Agreement, lost_workers_named
from robgan_tf.watching.final_evaluation import (
    build_evaluation_attack,
    final_accuracy,
    write_gap,
)
from robgan_tf.watching.measured_splits import check_images, measured_splits

# Steps that are not timed: the first one is compiled, and buffers fill.
_UNTIMED = 2


@dataclasses.dataclass(frozen=True)
class Built:
    """What a stage makes of its players, its data and its run directory.

    Attributes:
      task: what the loop runs.
      saved: what a checkpoint holds, by name.
      batches: function from the number of steps already made to the batches from there on.
      measured: the classifier whose accuracy is measured at the end; None where there is none.
      best: keeps the best models; None where none is asked for.
      description: what is measured besides, for people.
    """

    task: TrainingTask
    saved: dict[str, Any]
    batches: Callable[[int], Iterable]
    measured: keras.Model | None
    best: BestCheckpoint | None
    description: str | None = None


class Stage(abc.ABC):
    """One stage of training in one run directory.

    Nothing is read or written before `describe` or `train` is called.

    Args:
      config: of the stage.
      run_dir: the run directory.
      data_dir: where the data is, or None for the TFDS default.
      extensions: programs that have been loaded, whose choices the configuration may name.
      allowed_changes: names of settings, and of what is found of the data, in which a run may be
        continued with others.

    Raises:
      UserError: if the configuration makes no sense in itself or on this machine.
    """

    config: JointConfig | FinetuneConfig
    # Real images in one step, for the rate shown.
    images_per_step: int
    stop_at_alarm = False

    def __init__(
        self,
        config: JointConfig | FinetuneConfig,
        run_dir: str,
        data_dir: str | None = None,
        extensions: Sequence[Extension] = (),
        allowed_changes: Collection[str] = (),
    ):
        self._allowed = allowed_changes
        self.config = _reading_as_begun(config, run_dir)
        self.run_dir = run_dir
        self._data_dir = data_dir
        self._extensions = extensions
        build_evaluation_attack(config)  # Its numbers are refused now, not at the end.
        wanted = config.stage
        self.workers = workers_of_environment()
        set_threads(wanted.threads)
        if wanted.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = make_strategy(wanted.distribution, wanted.replicas, wanted.gin_name)
        self._agreement = Agreement(self.strategy, self.workers)

    def describe(self) -> None:
        """Prints configuration, models and data shapes, and writes nothing.

        Raises:
          UserError: if the data cannot be used or the models cannot be built.
        """
        data = self._load_data()
        players = self.build_players()
        self.build_step(players)
        self.print_plan(data, players)

    def seconds_per_step(self, seconds: float = 4.0) -> float:
        """Trains for a moment from the beginning, and writes nothing.

        Args:
          seconds: for how long, once the step is compiled.

        Returns:
          The median of the seconds of a step, its batch included.
        """
        data = self._load_data()
        players = self.build_players()
        built = self.build(None, data, players, self.build_step(players))
        batches = iter(built.batches(0))
        made: list[float] = []
        while len(made) < _UNTIMED + 3 or sum(made[_UNTIMED:]) < seconds:
            start = time.perf_counter()
            step = tf.constant(len(made) + 1, tf.int64)
            # What the values are is waited for.
            [float(value) for value in built.task.train_step(next(batches), step).values()]
            made.append(time.perf_counter() - start)
        return statistics.median(made[_UNTIMED:])

    def train(self, deadline: float | None = None) -> StopRequest | None:
        """Trains from the newest checkpoint, or from the beginning, and prints a summary.

        Args:
          deadline: when training has to have ended, on `time.monotonic`; None for never.

        Returns:
          The StopRequest that ended the run between two steps, or None when it is finished.

        Raises:
          UserError: if the run directory, the data or another run cannot be used.
          NonFiniteError: if a loss or gradient becomes infinite or NaN.
          CollapseError: at an alarm, if alarms are to end the run.
          LostWorkerError: if another worker of the run has ended.
        """
        with lost_workers_named(self.workers):
            stop = self._lead(deadline) if self.workers.is_chief else self._follow(deadline)
            # Nobody leaves while another still needs an answer.
            self._agreement.of_chief(0)
        return stop

    def _lead(self, deadline: float | None) -> StopRequest | None:
        """Trains, and writes what there is to be written."""
        run = RunDirectory(
            self.run_dir,
            {
                **self.config.flat(),
                **self.origin(),
                CONFIG_KEY: recorded(self._extensions),
                numerics.KEY: numerics.VERSION,
            },
            grows=f"{self.config.stage.gin_name}.steps",
            defaults={
                **self.config.flat_defaults(),
                numerics.KEY: numerics.FIRST,
                READING: FIRST_READING,
            },
            keeps=[numerics.KEY],
            # The batch and all that is random are the same on any number of them.
            free=[
                f"{self.config.stage.gin_name}.{name}"
                for name in ("replicas", "distribution", "deterministic", "threads")
            ],
            allowed=self._allowed,
        )
        if run.metrics_path.exists():
            mend(run.metrics_path)
        data = self._load_data()
        players = self.build_players()
        built = self.build(run, data, players, self.build_step(players))
        of_data = data_record(data, with_fingerprint=True)
        self._check_alike(of_data)
        run.check_data(of_data)
        best = {} if built.best is None else built.best.objects()
        checkpoints = Checkpoints(
            run.checkpoints_path,
            {**built.saved, **best},
            self.config.stage.keep_checkpoints,
            self.config.stage.keep_every_hours,
            marker=run.saved_path,
        )
        start_step = self._restore(run, checkpoints)
        refuse_change_of_the_past(run, start_step)
        # Settings that the checkpoint does not fit have ended here, and the run is as it was.
        run.write_config(
            self.config.as_gin(), of_data, start_step, self.strategy.num_replicas_in_sync
        )
        keep_copies(run.path, self._extensions)
        if built.best is not None:
            built.best.check()
        if checkpoints.latest is None and self.load_other_weights(players):
            # The other run may train on; this one shall always start from the same weights.
            checkpoints.save(0)
        self._agreement.of_chief(2 * start_step + (checkpoints.latest is not None))
        self.print_start(run, data, built, start_step)
        with keeping(lambda: _saved(checkpoints)):
            stop = self._loop(run, built, checkpoints, start_step, deadline)
        if stop is None:
            trained = f"trained and saved as {checkpoints.latest}"
            with keeping(f"{trained}; the same command measures the rest"):
                self._finish(run, data, built, checkpoints)
        else:
            print(
                f"Stopped by {stop.reason} and saved {checkpoints.latest}; the same command "
                "continues."
            )
        print_corrupt_files(data)
        return stop

    def _follow(self, deadline: float | None) -> StopRequest | None:
        """Makes the steps that the chief makes too, from the checkpoint that it goes on from."""
        data = self._load_data()
        players = self.build_players()
        built = self.build(None, data, players, self.build_step(players))
        self._check_alike(data_record(data, with_fingerprint=True))
        start_step, is_saved = divmod(self._agreement.of_chief(0), 2)
        print(
            f"Worker {self.workers.index} of {self.workers.count} trains from step "
            f"{start_step + 1} on; worker 0 writes to {self.run_dir}",
            flush=True,
        )
        if is_saved:
            kept = checkpoint_of_step(pathlib.Path(self.run_dir) / CHECKPOINTS, str(start_step))
            load_weights(kept, built.saved)
        loop = FollowingLoop(built.task, self._rhythm, self._agreement.stop_is_due)
        with keeping("worker 0 has what was saved; the same commands continue from it"):
            return loop.run(built.batches(start_step), start_step, deadline)

    def _check_alike(self, data: DataRecord) -> None:
        """Refuses workers of other settings, other data or another version."""
        same = {**self.config.flat(), **self.origin(), "version": __version__}
        settings = json.dumps(same, default=str, sort_keys=True)
        self._agreement.check_alike("the configuration", settings)
        self._agreement.check_alike("the data", repr(data))

    @property
    def _rhythm(self) -> Rhythm:
        wanted = self.config.stage
        return Rhythm(
            wanted.steps, wanted.log_every, wanted.pictures_every, wanted.checkpoint_every
        )

    @abc.abstractmethod
    def origin(self) -> dict[str, str | None]:
        """What the run is made from besides its configuration, by the flag that names it."""

    @abc.abstractmethod
    def build_players(self) -> Any:
        """Builds models and optimizers with all their variables, in the strategy's scope."""

    @abc.abstractmethod
    def build_step(self, players: Any) -> Any:
        """Builds the compiled training step."""

    @abc.abstractmethod
    def build(self, run: RunDirectory | None, data: ImageData, players: Any, step: Any) -> Built:
        """Builds what the loop runs and what watches it.

        Args:
          run: the run directory; None for a worker that watches and writes nothing.
          data: the images.
          players: of `build_players`.
          step: of `build_step`.
        """

    @abc.abstractmethod
    def load_other_weights(self, players: Any) -> bool:
        """Loads the weights of another run that a new run starts from; False if there is none."""

    @abc.abstractmethod
    def print_plan(self, data: ImageData, players: Any) -> None:
        """Prints the configuration, the models and the data shapes of a run that is not made."""

    @abc.abstractmethod
    def print_start(
        self, run: RunDirectory, data: ImageData, built: Built, start_step: int
    ) -> None:
        """Prints what is about to be trained, on what, and from which step.

        Args:
          run: the run directory.
          data: the images.
          built: of `build`.
          start_step: steps already made.
        """

    @abc.abstractmethod
    def print_summary(
        self, run: RunDirectory, built: Built, checkpoint: str | None, accuracy: dict | None
    ) -> None:
        """Prints where everything is and how well the classifier does.

        Args:
          run: the run directory.
          built: of `build`.
          checkpoint: path prefix of the newest checkpoint.
          accuracy: as `final_accuracy` returns it.
        """

    def _restore(self, run: RunDirectory, checkpoints: Checkpoints) -> int:
        wanted = self.config.stage
        # Lines that were due whichever way.
        log_every = math.lcm(*run.values_of(f"{wanted.gin_name}.log_every"))
        start_step = checkpoints.restore_latest(
            lambda step: lost_lines(run.metrics_path, log_every, wanted.steps, step)
        )
        if checkpoints.latest is None:
            refuse_to_begin_over(run, wanted.checkpoint_every)
        return start_step

    def trained_classes(self) -> tuple[str, ...] | None:
        """The classes that the run was begun on, if it was; no label may come to mean another."""
        return trained_classes(self.run_dir)

    def _load_data(self) -> ImageData:
        data = load_image_data(
            **self.config.data.loading(self._data_dir), class_names=self.trained_classes()
        )
        check_images(self.config, data)
        warning = overlap_warning(data, measured_splits(self.config))
        if warning is not None:
            print(warning, flush=True)
        if len(data.train) < self.config.stage.batch_size:
            print(
                f"Note       {self.config.stage.gin_name}.batch_size = "
                f"{self.config.stage.batch_size} is above the number of training images, "
                f"{len(data.train)}: a batch shows some of them more than once",
                flush=True,
            )
        return data

    def _loop(
        self,
        run: RunDirectory,
        built: Built,
        checkpoints: Checkpoints,
        start_step: int,
        deadline: float | None,
    ) -> StopRequest | None:
        wanted = self.config.stage
        if start_step >= wanted.steps:
            return None
        loop = TrainingLoop(
            built.task,
            run,
            checkpoints,
            self._rhythm,
            images_per_step=self.images_per_step,
            description=as_markdown(self.config.as_gin()),
            stop_at_alarm=self.stop_at_alarm,
            agree=self._agreement.stop_is_due,
        )
        begin_session(run.path, start_step)
        stop = loop.run(built.batches(start_step), start_step, deadline)
        end_session(run.path)
        return stop

    def _finish(
        self, run: RunDirectory, data: ImageData, built: Built, checkpoints: Checkpoints
    ) -> None:
        accuracy = None
        if built.measured is not None:
            steps = self.config.stage.steps
            accuracy = final_accuracy(self.config, run, data, built.measured, steps)
            write_gap(self.config, run, data)
        self.print_summary(run, built, checkpoints.latest, accuracy)


def _saved(checkpoints: Checkpoints) -> str:
    """What is safe of a run that is being trained."""
    try:
        latest = checkpoints.latest
    except OSError:
        return "what was saved is safe; the same command continues"
    if latest is None:
        return "there is no checkpoint yet; the same command begins again"
    return f"the newest checkpoint is {latest}; the same command continues from it"


def _reading_as_begun(
    config: JointConfig | FinetuneConfig, run_dir: str
) -> JointConfig | FinetuneConfig:
    """The configuration with the reading of images that a run to be continued was begun with.

    The command that began a run from before `data.reading` does not name it.
    """
    path = pathlib.Path(run_dir) / "config.json"
    stored = read_object(path) if path.exists() else {READING: None}
    if READING in stored:
        return config
    return dataclasses.replace(config, data=dataclasses.replace(config.data, reading=FIRST_READING))
