"""Image quality while training: the measures of `evaluate quality` on fewer images, and alarms."""

from collections.abc import Iterable, Mapping

import numpy as np

from robgan_tf.choices import SOURCE_LOSSES
from robgan_tf.config.groups import AlarmSettings, QualitySettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.data import scale_images
from robgan_tf.data.load import ImageData
from robgan_tf.errors import UserError
from robgan_tf.losses.source_loss import SourceLoss
from robgan_tf.quality.alarms import ALARM_PREFIX, collapse_alarms
from robgan_tf.quality.extractors import FeatureExtractor
from robgan_tf.quality.generated_set import GeneratedSet
from robgan_tf.quality.image_features import ReferenceFeatures, extract
from robgan_tf.quality.measure import LOWER, measure_of
from robgan_tf.quality.relative_diversity import RelativeDiversity
from robgan_tf.quality.scores import bias_warning, check_counts, quality
from robgan_tf.reporting import read_metrics
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.training.joint_gradients import JointPlayers
from robgan_tf.typing import PathLike
from robgan_tf.watching.judgement import Judgement

BATCH_SIZE = 100
# Images on which D's judgement is measured: enough for accuracies to 5 points.
JUDGED_IMAGES = 500
# What D's judgement is called on held-out real images and on generated ones.
_JUDGED = {"realness": ("real", "fake"), "accuracy_class": ("held_out", "generated")}


class QualityMeter:
    """Measures G and D of a run, as often as it is called.

    Args:
      players: the run's JointPlayers.
      extractor: a FeatureExtractor.
      data: the run's ImageData.
      settings: QualitySettings.
      alarms: AlarmSettings.
      reference: directory where features of real images are kept, and the data set's name there.
      history: records of metrics.jsonl so far.
      seed: of the images, the same ones each time.
      source_loss: D's, which says how certain D is of an image.

    Raises:
      UserError: if the extractor cannot give what chooses the best checkpoint, kept features are
        of other images, or there are too few images to see a collapse of each class.
    """

    def __init__(
        self,
        players: JointPlayers,
        extractor: FeatureExtractor,
        data: ImageData,
        settings: QualitySettings,
        alarms: AlarmSettings,
        *,
        reference: tuple[PathLike, str],
        history: Iterable[Mapping[str, float]],
        seed: int,
        source_loss: SourceLoss,
    ) -> None:
        self._players = players
        self._extractor = extractor
        self._settings = settings
        self._alarms = alarms
        self._history = list(history)
        self._seed = seed
        self._check_counts(len(data.train))
        self._best = measure_of(settings.best)
        needs_classes = self._best is not None and self._best.needs_probabilities
        if needs_classes and extractor.classes is None:
            raise UserError(
                f"quality.best = {settings.best!r}: {extractor.name} gives no class logits, which "
                "it needs; choose another measure, or other --features"
            )
        real = data.train.evenly_spaced(settings.real_images)
        directory, dataset = reference
        kept = ReferenceFeatures(directory, extractor, real, f"{dataset}-train", BATCH_SIZE)
        self._real = kept.load()
        self._held_out = (data.validation if len(data.validation) else data.test).evenly_spaced(
            JUDGED_IMAGES
        )
        self._check_held_out()
        self._diversity = RelativeDiversity(
            self._real.features, self._labels(real.labels), real, seed
        )
        self._averaged = GeneratedSet(players.average_generator)
        self._live = GeneratedSet(players.generator)
        self._judge = Judgement(players.discriminator, source_loss, BATCH_SIZE)

    def description(self) -> str:
        """What is measured when, and why Fréchet distances of few images are too high, if so."""
        wanted = self._settings
        line = (
            f"Quality    {wanted.images} images on {self._extractor.name}, "
            f"every {wanted.every} steps"
        )
        warning = bias_warning(self._real, range(wanted.images))
        return line if warning is None else f"{line}\n           {warning}"

    def __call__(self, step: int) -> tuple[dict[str, float], dict[str, str]]:
        """Measures.

        Args:
          step: of the run.

        Returns:
          Dict of numbers: quality by its full names, `diversity/`, `ms_ssim/`, `realness/`,
          `accuracy_class/`, and `alarm/<name>` 1 for each alarm; and a dict from the name of an
          alarm to one line.
        """
        batches = list(self._averaged(self._settings.images, self._seed, BATCH_SIZE))
        fake = extract(self._extractor, batches, self._settings.images)
        images = np.concatenate([part for part, _ in batches])
        values = {
            **quality(self._real, fake, self._extractor.name, "train"),
            **self._diversity(images, fake.features, fake.labels),
            **self._judgement(),
        }
        values = {name: float(value) for name, value in values.items()}
        alarms = self._raised(values, step)
        self._history.append({"step": step, **values})
        return {**values, **{f"{ALARM_PREFIX}{name}": 1.0 for name in alarms}}, alarms

    def score(self, values: Mapping[str, float]) -> float | None:
        """What the best checkpoint is chosen by, higher being better; None if by nothing."""
        kind = self._settings.best
        if self._best is None:
            return None
        (name,) = [name for name in values if name.startswith(f"{kind}/")]
        return -values[name] if self._best.numbers[kind].better == LOWER else values[name]

    def _check_held_out(self) -> None:
        self._held_out.check_every_class_is_readable()
        if self._players.discriminator.class_head is not None:
            self._held_out.check_labelled(
                "D's judgement of held-out images needs: choose another data.test_split, or bind "
                "quality.every = 0"
            )

    def _check_counts(self, training_images: int) -> None:
        """Too few images are refused now, and not at the first measurement."""
        real = min(training_images, self._settings.real_images)
        try:
            check_counts(real, self._settings.images, self._extractor.classes is not None)
        except UserError as error:
            raise UserError(
                f"image quality cannot be measured on {real} training and "
                f"{self._settings.images} generated images: {error}; bind quality.every = 0 to do "
                "without"
            ) from error
        # How images of a class differ is not to be seen in one of them.
        num_classes = max(self._players.average_generator.num_classes, 1)
        if self._settings.images < 2 * num_classes:
            raise UserError(
                f"quality.images = {self._settings.images} are too few to see a collapse of each "
                f"of {num_classes} classes: give at least two of each, {2 * num_classes}, or "
                "quality.every = 0"
            )

    def _raised(self, values: Mapping[str, float], step: int) -> dict[str, str]:
        if step < self._alarms.from_step:
            return {}
        has_classes = self._players.discriminator.class_head is not None
        # A record that a killed session wrote of later steps is not the past.
        before = [record for record in self._history if record["step"] < step]
        return collapse_alarms(
            values,
            before,
            self._alarms,
            self._players.discriminator.num_classes if has_classes else 0,
            len(self._held_out),
        )

    def _labels(self, labels: np.ndarray) -> np.ndarray:
        """Classes as G knows them: one where it has none."""
        return labels if self._players.average_generator.num_classes else np.zeros_like(labels)

    def _judgement(self) -> dict[str, float]:
        """What D makes of held-out real images and of what G, not its average, makes now."""
        source = self._held_out
        real = scale_images(source.fetch(np.arange(len(source))))
        count = len(source)
        parts = list(self._live(count, self._seed, BATCH_SIZE))
        fake = scale_images(np.concatenate([images for images, _ in parts]))
        fake_labels = np.concatenate([labels for _, labels in parts])
        of_real = self._judge(real, source.labels)
        of_fake = self._judge(fake, fake_labels)
        return {
            f"{name}/{kind}": values[name]
            for name, kinds in _JUDGED.items()
            if name in of_real
            for kind, values in zip(kinds, (of_real, of_fake), strict=True)
        }


def quality_meter(
    config: JointConfig,
    run: RunDirectory,
    data: ImageData,
    players: JointPlayers,
    extractor: FeatureExtractor,
) -> QualityMeter:
    """Builds the QualityMeter of a run.

    Features of real images are kept in `reference_features` beside the run, where
    `evaluate quality` keeps them too.

    Args:
      config: JointConfig of the run.
      run: its RunDirectory.
      data: its ImageData.
      players: its JointPlayers.
      extractor: a FeatureExtractor.

    Raises:
      UserError: see `QualityMeter`.
    """
    wanted = config.quality
    records = read_metrics(run.metrics_path) if run.metrics_path.exists() else []
    return QualityMeter(
        players,
        extractor,
        data,
        wanted,
        config.alarms,
        reference=(run.path.parent / "reference_features", config.data.file_name),
        history=records,
        seed=config.train.seed,
        source_loss=SOURCE_LOSSES.get(config.loss.source),
    )
