"""Models of a run that has been trained, from its run directory."""

import dataclasses
import pathlib

import keras

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import FIRST_READING, READING
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import ImageData, load_image_data
from robgan_tf.errors import UserError
from robgan_tf.extensions import explain_choices_of
from robgan_tf.files import digest
from robgan_tf.json_file import read_object
from robgan_tf.models.building import build_discriminator, build_generator
from robgan_tf.models.players import Generator
from robgan_tf.runs.archive import is_archive, run_directory
from robgan_tf.runs.checkpoints import checkpoint_of_step, kept_steps, load_weights
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.runs.directory import BEST_CHECKPOINT, CHECKPOINTS
from robgan_tf.stages.build import build_classifier
from robgan_tf.typing import PathLike


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run, and one of its checkpoints.

    Attributes:
      path: its run directory, as given; of an archive, where it is unpacked.
      config: its configuration.
      checkpoint: path prefix of the checkpoint.
      archive: the archive it was opened from, which nothing is written to; None of a directory.
    """

    path: str
    config: JointConfig | FinetuneConfig
    checkpoint: str
    archive: str | None = None

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return int(self.checkpoint.rpartition("-")[2])

    @property
    def identity(self) -> str:
        """The run and its checkpoint by name and content, wherever they are."""
        # The index holds a checksum of every tensor.
        content = digest(pathlib.Path(f"{self.checkpoint}.index").read_bytes())
        return f"{self.name} at step {self.step} ({content})"

    @property
    def name(self) -> str:
        """What the run is called: its directory."""
        return pathlib.Path(self.path).resolve().name

    @property
    def model_name(self) -> str:
        """What the model that is measured is called in the checkpoint."""
        if isinstance(self.config, JointConfig):
            return "discriminator"
        is_best = pathlib.Path(self.checkpoint).parent.name == BEST_CHECKPOINT
        if self.config.finetune.average_decay and not is_best:
            return "average_classifier"
        return "classifier"

    @property
    def is_joint(self) -> bool:
        """Whether it is a run of joint training, otherwise of the finetune command."""
        return isinstance(self.config, JointConfig)

    def results(self, folder: str, output_dir: str | None = None) -> pathlib.Path:
        """Where results of the run are written.

        Args:
          folder: of the run directory.
          output_dir: in place of it.

        Raises:
          UserError: if the run is in an archive and no other place is given.
        """
        if output_dir is not None:
            return pathlib.Path(output_dir)
        if self.archive is not None:
            raise UserError(
                f"{self.archive} is an archive, which nothing is written to: say where results go "
                "(--output_dir)"
            )
        return pathlib.Path(self.path) / folder

    def beside(self, output_dir: str | None = None) -> pathlib.Path:
        """The folder whose runs share features of real images: of a directory the one it is in.

        Args:
          output_dir: where results go; of an archive it is that one.
        """
        return self.results("", output_dir) if self.archive else pathlib.Path(self.path).parent

    def data(self, data_dir: str | None = None) -> DataRecord:
        """What the run says of its data, which need not be there.

        Args:
          data_dir: where the data of a run is that an earlier version made: its directory does not
            say, so the data does.

        Raises:
          UserError: if the run does not say and the data cannot be used.
        """
        found = DataRecord.read(self.path)
        if found is not None:
            return found
        try:
            return data_record(load_image_data(**self.config.data.loading(data_dir)))
        except UserError as error:
            raise UserError(
                f"{self.path} was made by a version that did not keep the names of classes, and "
                f"the data that would say cannot be used: {error}"
            ) from error

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The classes that it was trained on; None where an earlier version did not keep them."""
        return trained_classes(self.path)

    def load_classifier(self, precision: str | None = None) -> keras.Model:
        """Builds the run's D or other classifier with the weights of the checkpoint.

        Where the run keeps a moving average of its weights, that is what is loaded.

        Args:
          precision: to compute in; that of the run if not given.

        Raises:
          UserError: if the checkpoint does not fit, or D has no class head.
        """
        keras.utils.set_random_seed(0)
        if isinstance(self.config, JointConfig):
            self._check_class_head()
            own = self.config.train.precision
            model = build_discriminator(self.config, precision or own)
        else:
            model = build_classifier(self.config, precision=precision)
        load_weights(self.checkpoint, {self.model_name: model})
        return model

    def load_discriminator(self) -> keras.Model:
        """Builds D of a run of joint training, with whichever heads it has.

        Raises:
          UserError: if it is another run, or the checkpoint does not fit.
        """
        if not isinstance(self.config, JointConfig):
            raise UserError(f"{self.path} holds no discriminator: it is a run of finetune")
        model = build_discriminator(self.config, self.config.train.precision)
        load_weights(self.checkpoint, {"discriminator": model})
        return model

    def load_generator(self, precision: str | None = None, live: bool = False) -> Generator:
        """Builds the averaged G of a run of joint training with the weights of the checkpoint.

        Args:
          precision: to compute in; that of the run if not given.
          live: G itself instead of its moving average.

        Raises:
          UserError: if the checkpoint does not fit.
        """
        if not isinstance(self.config, JointConfig):
            raise UserError(f"{self.path} holds no generator: it is a run of finetune")
        generator = build_generator(self.config, precision=precision)
        name = "generator" if live else "average_generator"
        load_weights(self.checkpoint, {name: generator})
        return generator

    def _check_class_head(self) -> None:
        head = self.config.discriminator.head
        if head != "class":
            raise UserError(
                f"{self.path} holds no classifier: its D was trained with "
                f"ResNetDiscriminator.head = {head!r}"
            )


def trained_classes(run_dir: PathLike) -> tuple[str, ...] | None:
    """The classes that the run of a directory or an archive was begun on; None where unknown."""
    found = DataRecord.read(run_directory(run_dir))
    return None if found is None else found.class_names


def data_record(data: ImageData, with_fingerprint: bool = False) -> DataRecord:
    """What a run keeps of its data; the fingerprint takes a look at every training image."""
    train = data.train
    return DataRecord(
        data.class_names,
        (train.resolution, train.resolution, train.channels),
        data.description,
        train.content_digest() if with_fingerprint else "",
    )


def best_or_last(run_dir: PathLike) -> str:
    """The checkpoint to use of a run where none is asked for: the best if there is one."""
    return "best" if kept_steps(run_directory(run_dir) / BEST_CHECKPOINT) else "last"


def open_run(run_dir: PathLike, checkpoint: str = "last") -> "FinishedRun":
    """Opens a run.

    Args:
      run_dir: the run directory, or the archive of a run.
      checkpoint: "last", "best", or the number of a step that was kept; "last" of an archive is
        the one that it holds.

    Returns:
      A FinishedRun.

    Raises:
      UserError: if there is no run or no such checkpoint, or another version made it.
    """
    path = run_directory(run_dir)
    config = read_run_config(run_dir)
    archive = str(run_dir) if is_archive(run_dir) else None
    if archive is not None and checkpoint == "last":
        checkpoint = best_or_last(path)
    if checkpoint == "best":
        if not kept_steps(path / BEST_CHECKPOINT):
            raise UserError(
                f"{run_dir} has no best checkpoint (--checkpoint): train keeps one where "
                "quality.best is set, finetune where data.validation_examples and gap.every are "
                "above 0"
            )
        found = checkpoint_of_step(path / BEST_CHECKPOINT)
    else:
        found = checkpoint_of_step(path / CHECKPOINTS, checkpoint)
    return FinishedRun(str(run_dir) if archive is None else str(path), config, found, archive)


def read_run_config(run_dir: PathLike) -> JointConfig | FinetuneConfig:
    """Reads the configuration of a run.

    Returns:
      A JointConfig or a FinetuneConfig.

    Raises:
      UserError: if there is no run, or another version of this package made it.
    """
    path = run_directory(run_dir)
    if not (path / "config.gin").exists():
        raise UserError(f"{run_dir} holds no run: there is no config.gin")
    stored = read_object(path / "config.json")
    explain_choices_of(path)
    # Models are rebuilt without the run's loss: the program that brought it may be elsewhere.
    files = [str(path / "config.gin")]
    before = f"{READING} = {FIRST_READING!r}"
    if "finetune.steps" in stored:
        return read_config(FinetuneConfig, files, [], before, any_choice=True)
    return read_config(JointConfig, files, [], before, any_choice=True)
