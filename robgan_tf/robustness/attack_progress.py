"""How far an evaluation is: a bar on a terminal, a few lines in a log."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TextIO

import numpy as np
from typing_extensions import override

from robgan_tf.attacks.search import AttackSearch, queries_of
from robgan_tf.reporting import format_duration
from robgan_tf.reporting.bar import bar
from robgan_tf.robustness.evaluation import Watcher

_BAR_FORMAT = "{percentage:5.1f} % |{bar}| {desc}{postfix}"
_SHARES = 1000  # of the bar
_LINES = 10  # an attack, in a log
_QUIET = 30.0  # seconds between lines of one attack in a log, at least


class AttackProgress(Watcher):
    """Shows images, queries and the time left of all radii at which a classifier is attacked.

    The time left is that of the images which withstand now, as if they did to the end, and at
    radii to come as many were given to each attack as at this one: it falls faster than the clock.

    Args:
      radii: how many there are.
      queries: returns how often the classifier has been asked for the logits of an image.
      stream: where to write; standard output if None.
      clock: returns the time in seconds from any origin.
    """

    def __init__(
        self,
        radii: int,
        queries: Callable[[], int],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._radii_left = radii
        self._queries = queries
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        # Of each attack: seconds, and what they bought, in queries as `queries_of` reckons.
        self._seconds: dict[str, float] = defaultdict(float)
        self._bought: dict[str, float] = defaultdict(float)
        self._spent: dict[str, float] = defaultdict(float)  # Image-rounds at this radius.
        self._attacks: Sequence[AttackSearch] = ()
        self._attack: AttackSearch | None = None
        self._bar = bar(_SHARES, 0, self._stream, bar_format=_BAR_FORMAT)

    def begin_radius(self, title: str, attacks: Sequence[AttackSearch]) -> None:
        """Says which radius is next, and what is made at it."""
        self._title, self._attacks, self._attack = title, attacks, None
        self._radii_left -= 1
        self._spent.clear()

    @override
    def begins(self, attack: AttackSearch, number: int, waiting: int) -> None:
        now = self._clock()
        if attack is not self._attack:
            self._attack, self._given = attack, waiting
            self._began, self._asked, self._told = now, self._queries(), now
        self._number, self._of_round, self._waiting = number, waiting, waiting
        self._done, self._tenth, self._last = 0, 0, now

    @override
    def done(self, chosen: np.ndarray, fooled: int) -> None:
        if self._attack is None:  # A clean prediction.
            return
        now = self._clock()
        name = self._attack.name
        self._seconds[name] += now - self._last
        self._bought[name] += len(chosen) * queries_of(self._attack)
        self._spent[name] += len(chosen)
        self._last = now
        self._done += len(chosen)
        self._waiting -= fooled
        if not self._bar.disable:
            self._draw()
            return
        tenth = self._done * _LINES // self._of_round
        if tenth > self._tenth and self._done < self._of_round and now - self._told >= _QUIET:
            self._tenth, self._told = tenth, now
            self.message(f"{self._title}: {self._place()}")

    @override
    def ends(self) -> None:
        attack = self._attack
        if attack is None or self._number < attack.rounds - 1 or not self._given:
            return
        if len(self._attacks) > 1:
            self.message(
                f"{self._title}: {attack.name} {self._given} -> {self._waiting} images, "
                f"{self._queries() - self._asked:,} queries, "
                f"{format_duration(self._clock() - self._began)}{self.time_left}"
            )

    def message(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        self._bar.write(f"  {text}", file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.leave = False
        self._bar.close()

    @property
    def time_left(self) -> str:
        """The end of a line with the ETA; empty where there is nothing to tell it by."""
        bought = sum(self._bought.values())
        left = self._left()
        if not bought or not left:
            return ""
        return f", ETA {format_duration(left)}"

    def _left(self) -> float:
        """Seconds, as far as is known."""
        here = self._rounds_left()
        all_here = {
            attack.name: here[attack.name] + self._spent[attack.name] for attack in self._attacks
        }
        return sum(
            self._cost(attack) * (here[attack.name] + self._radii_left * all_here[attack.name])
            for attack in self._attacks
        )

    def _rounds_left(self) -> dict[str, float]:
        """Image-rounds of each attack that are left at this radius."""
        left: dict[str, float] = defaultdict(float)
        if self._attack is None:
            return left
        place = list(self._attacks).index(self._attack)
        rounds = self._attack.rounds - 1 - self._number
        left[self._attack.name] = self._of_round - self._done + rounds * self._waiting
        for attack in self._attacks[place + 1 :]:
            left[attack.name] = attack.rounds * self._waiting
        return left

    def _cost(self, attack: AttackSearch) -> float:
        """Seconds of one image in one round: as measured, else by the queries of the others."""
        bought = self._bought[attack.name]
        if bought:
            return self._seconds[attack.name] / bought * queries_of(attack)
        bought = sum(self._bought.values())
        return sum(self._seconds.values()) / bought * queries_of(attack) if bought else 0.0

    def _place(self) -> str:
        attack = self._attack
        assert attack is not None  # Asked while one is made.
        rounds = f", round {self._number + 1} of {attack.rounds}" if attack.rounds > 1 else ""
        return (
            f"{attack.name}{rounds}, {self._done}/{self._of_round} images, "
            f"{self._queries() - self._asked:,} queries{self.time_left}"
        )

    def _draw(self) -> None:
        left, spent = self._left(), sum(self._seconds.values())
        share = spent / (spent + left) if spent else 0.0
        self._bar.set_description_str(f"{self._title}: {self._place()}", refresh=False)
        self._bar.update(int(share * _SHARES) - self._bar.n)
