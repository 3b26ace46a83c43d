"""Processes that share an evaluation, as threads of this one."""

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from robgan_tf.robustness.peers import Peers


class LostPeerError(Exception):
    """Another one has ended."""


class Board:
    """Where they leave what they exchange, round by round."""

    def __init__(self, count):
        self.count, self.given, self.is_over = count, defaultdict(dict), False
        self.changed = threading.Condition()

    def end(self):
        with self.changed:
            self.is_over = True
            self.changed.notify_all()


class ThreadPeers(Peers):
    """One of them."""

    def __init__(self, index, board):
        self.index, self.count = index, board.count
        self._board, self._round = board, 0

    def exchange(self, mine):
        board, self._round = self._board, self._round + 1
        given = board.given[self._round]
        with board.changed:
            given[self.index] = mine
            board.changed.notify_all()
            board.changed.wait_for(lambda: board.is_over or len(given) == self.count, 120)
        if len(given) < self.count:
            raise LostPeerError
        return [given[index] for index in range(self.count)]


def together(count, call):
    """What a call of each of so many peers returned, or the error that it raised."""
    board = Board(count)

    def of(index):
        try:
            return call(ThreadPeers(index, board))
        except Exception as error:
            board.end()
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(of, range(count)))
