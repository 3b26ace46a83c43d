"""The generated images whose quality is measured: of a run's generator, or stored ones."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from robgan_tf.config.groups import DataSettings
from robgan_tf.data.generated import load_generated_images
from robgan_tf.errors import UserError
from robgan_tf.files import tree_digest
from robgan_tf.models.players import Generator
from robgan_tf.quality.generated_set import generated_set
from robgan_tf.typing import PathLike


class RunWithGenerator(Protocol):
    """What is asked of the run whose images are measured."""

    @property
    def identity(self) -> str:
        """The run and its checkpoint by name and content."""

    @property
    def step(self) -> int:
        """The step of the checkpoint."""

    def load_generator(self, *, live: bool) -> Generator:
        """Loads the moving average of G, or G itself."""


@dataclasses.dataclass(frozen=True)
class MeasuredImages:
    """Generated images, and what is said of them.

    Attributes:
      batches: function without arguments to an iterable of (uint8 images [n, H, W, C], labels
        [n]), in random order of classes.
      count: how many images.
      has_classes: whether labels mean anything.
      subject: what made them, for records.
      name: that of the subject in file names.
      notes: function without arguments to a list of lines on what was changed about the images,
        complete once the batches were used.
    """

    batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
    count: int
    has_classes: bool
    subject: str
    name: str
    notes: Callable[[], list[str]]


def images_of_run(
    run: RunWithGenerator, count: int, *, seed: int, live: bool, batch_size: int
) -> MeasuredImages:
    """Images of a run's generator.

    Args:
      run: a FinishedRun.
      count: how many.
      seed: of latents and of the order of classes.
      live: G itself instead of its moving average.
      batch_size: images at a time.

    Raises:
      UserError: if the run has no generator or its checkpoint does not fit.
    """
    generator = run.load_generator(live=live)
    weights = "live" if live else "average"
    return MeasuredImages(
        lambda: generated_set(generator, count, seed, batch_size),
        count,
        bool(generator.num_classes),
        f"{count} images of the {weights} G of {run.identity}, seed {seed}",
        f"step_{run.step:08d}_seed_{seed}" + ("_live" if live else ""),
        list,
    )


def stored_images(
    path: PathLike,
    class_names: Sequence[str],
    settings: DataSettings,
    count: int | None,
    *,
    seed: int,
    batch_size: int,
) -> MeasuredImages:
    """Images that any generator has made.

    Args:
      path: as in `load_generated_images`.
      class_names: classes of the data.
      settings: DataSettings of the data they are compared with.
      count: how many of them, chosen at random; None for all.
      seed: of their order: stored class by class, the splits of the Inception Score would be of
        one class each.
      batch_size: images at a time.

    Raises:
      UserError: if they cannot be used, or there are fewer.
    """
    stored = load_generated_images(
        path, class_names, resolution=settings.resolution, channels=settings.channels
    )
    source, path = stored.source, pathlib.Path(path)
    if count is not None and count > len(source):
        raise UserError(f"--num_images={count}: {path} holds {len(source)} images")
    order = np.random.default_rng(seed).permutation(len(source))[:count]
    sizes = stored.other_sizes()

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            yield source.fetch(chosen), source.labels[chosen]

    def notes() -> list[str]:
        found = []
        if sizes:
            first = f"{sizes[0][0]} x {sizes[0][1]}"
            others = f" and {len(sizes) - 1} other sizes" if len(sizes) > 1 else ""
            side = source.resolution
            found.append(f"resized from {first}{others} to {side} x {side}")
        if source.corrupt_files:
            found.append(
                f"{len(source.corrupt_files)} files cannot be read, another image stands in for "
                f"each, first {next(iter(source.corrupt_files))}"
            )
        return found

    return MeasuredImages(
        batches,
        len(order),
        stored.has_classes,
        f"{len(order)} images of {path.name} ({tree_digest(path)}), order by seed {seed}",
        f"{path.stem}_seed_{seed}",
        notes,
    )
