"""What the kinds of sample share: their flags, the run they open, and where results go."""

import itertools
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from robgan_tf.cli import flags, values
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.cli.quiet import tensorflow_loading
from robgan_tf.errors import UserError

if TYPE_CHECKING:
    # TensorFlow takes seconds to load.
    from robgan_tf.data import ImageData
    from robgan_tf.sampling.sampler import Sampler

SHEET_CLASSES = 20
# Latents are float32, of which no bound may make nothing but zeros.
_SMALLEST_BOUND = 1e-30


def add_flags(parser: Parser) -> None:
    """Declares the flags of every kind."""
    parser.group("Run")
    parser.flag("run_dir", "The run of joint training to sample from.", values.path, form="DIR")
    flags.add_data_dir(parser)
    flags.add_extension(parser)
    flags.add_checkpoint(parser)
    flags.add_weights(parser)
    parser.flag(
        "output_dir",
        "Where files are written; generated/ in the run directory by default.",
        values.path,
        form="DIR",
    )
    parser.group("Latents")
    flags.add_seed(parser)
    parser.flag(
        "truncation",
        "Keep latents within this bound, such as 1: less variety; none by default.",
        values.bound(_SMALLEST_BOUND),
        form="BOUND",
    )
    flags.add_batch_size(parser)


def add_classes(parser: Parser) -> None:
    """The flag of which classes are shown."""
    parser.flag(
        "classes",
        "Names of classes or their numbers from 0; by default all, or some of many.",
        values.texts,
        form="LIST",
    )


def add_shared_latents(parser: Parser) -> None:
    """The flag of whether rows differ in nothing but their class."""
    parser.switch("shared_latents", "The same latents in every row.")


class Sampling:
    """The generator that flags name, and where its results go.

    Args:
      given: values of the flags of `add_flags`.

    Raises:
      UserError: if there is no such generator.
    """

    def __init__(self, given: Values):
        if not given.run_dir:
            raise UserError("what to sample from? give --run_dir")
        flags.load_extensions(given)
        # TensorFlow takes seconds to load: a wrong flag should not have to wait for it.
        with tensorflow_loading():
            from robgan_tf.stages.finished import best_or_last, open_run

        self._given = given
        self.run = open_run(given.run_dir, given.checkpoint or best_or_last(given.run_dir))
        self._directory = self.run.results("generated", given.output_dir)
        self.generator = self.run.load_generator(live=given.weights == "live")
        print(f"Sampling   {self.subject}, seed {given.seed}", flush=True)

    @property
    def subject(self) -> str:
        """What is sampled, for records."""
        return f"{self._given.weights} G of {self.run.identity}"

    def load_data(self) -> "ImageData":
        """The images of the run's data."""
        return flags.load_data(self.run.config.data, self._given, self.run.class_names)

    def class_names(self) -> Sequence[str]:
        """Names of the generator's classes; empty if it has none."""
        if not self.generator.num_classes:
            return ()
        return self.run.data(flags.data_dir(self._given)).class_names

    def chosen(self, names: Sequence[str], most: int) -> list[int]:
        """The numbers of the classes that are asked for, or else of at most so many."""
        from robgan_tf.sampling.classes import choose_classes

        return choose_classes(self._given.classes, names, most)

    def sampler(self, shared_latents: bool = False) -> "Sampler":
        """Draws sheets and interpolations."""
        from robgan_tf.sampling.sampler import Sampler

        given = self._given
        return Sampler(
            self.generator, given.seed, given.truncation, shared_latents, given.batch_size
        )

    def path(self, kind: str, suffix: str) -> pathlib.Path:
        """Where a result belongs; its name says what it is of, not how much of it is shown."""
        given = self._given
        name = f"{kind}_step_{self.run.step:08d}_seed_{given.seed}"
        if given.truncation is not None:
            name += f"_truncation_{given.truncation:g}"
        if given.weights == "live":
            name += "_live"
        return self._directory / f"{name}{suffix}"

    def write(self, kind: str, suffix: str, content: bytes | str) -> None:
        """Writes a result; one that is there already must be the same."""
        from robgan_tf.sampling.image_files import write_result

        path = self.path(kind, suffix)
        write_result(path, content)
        print(f"  written: {path}")


def row_names(names: Sequence[str], labels: Sequence[int]) -> list[str]:
    """What the rows of a sheet are called: by their class, where there are classes."""
    return [names[label] if names else "" for label in labels]


def pair_names(names: Sequence[str], labels: Sequence[int]) -> list[str]:
    """What rows that lead from a class to the next are called."""
    shown = row_names(names, labels)
    return [f"{first} -> {second}" for first, second in itertools.pairwise(shown)]
