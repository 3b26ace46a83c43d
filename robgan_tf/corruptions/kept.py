"""Scores that were measured before: an interrupted evaluation goes on where it was."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from robgan_tf.corruptions.scores import Score
from robgan_tf.errors import UserError
from robgan_tf.files import write_atomically
from robgan_tf.json_file import MEASURE_ANEW, read_object
from robgan_tf.robustness.answers import are_same
from robgan_tf.typing import PathLike


class KeptScores:
    """Scores of classifiers in a JSON file, which every new one is added to.

    A score is of a classifier's source and answers, and of the very images.

    Args:
      path: the file; it need not exist yet.

    Raises:
      UserError: if it exists and holds something else.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = pathlib.Path(path)
        self._kept: list[dict[str, Any]] = []
        if self._path.exists():
            try:
                kept = read_object(self._path, MEASURE_ANEW)["scores"]
                self._kept = [{**each, "score": Score(**each["score"])} for each in kept]
            except (KeyError, TypeError) as error:
                raise UserError(f"{self._path} holds no scores; {MEASURE_ANEW}") from error

    def find(self, source: str, answers: np.ndarray, digest: str) -> Score | None:
        """The score of a classifier on a set, or None.

        Args:
          source: of the classifier.
          answers: its logits for the first few images of the set.
          digest: of the set.
        """
        for each in self._kept:
            known = each["source"] == source and each["score"].digest == digest
            if known and are_same(answers, np.array(each["answers"])):
                return each["score"]
        return None

    def add(self, source: str, answers: np.ndarray, score: Score) -> None:
        """Adds a score and writes the file."""
        self._kept.append({"source": source, "answers": answers.tolist(), "score": score})
        rows = [{**each, "score": dataclasses.asdict(each["score"])} for each in self._kept]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps({"scores": rows}) + "\n")
