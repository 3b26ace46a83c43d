"""A stored evaluation that several processes make together: the chief has the files."""

from collections.abc import Callable, Iterable

import numpy as np

from robgan_tf.robustness.peers import Peers, packed, unpacked
from robgan_tf.robustness.signs import MaskingReport
from robgan_tf.robustness.standing import Standing
from robgan_tf.robustness.stored import StoredEvaluation


class SharedEvaluation:
    """What a `StoredEvaluation` is, of which the chief tells the others what they have to know.

    Args:
      peers: the processes; one alone is the chief.
      opened: returns the StoredEvaluation; called by the chief.

    Raises:
      UserError: on the chief, as `opened` does.
    """

    def __init__(self, peers: Peers, opened: Callable[[], StoredEvaluation]) -> None:
        self._peers = peers
        self._stored = opened() if peers.is_chief else None

    def standing(self, key: str, images: np.ndarray, rounds: int) -> Standing:
        """As `StoredEvaluation.standing`; others than the chief know no images attacked before."""
        if self._stored is None:
            standing, known = Standing.before(images), b""
        else:
            standing = self._stored.standing(key, images, rounds)
            known = packed([(standing.predictions, standing.fooled_by, standing.rounds)])
        (told,) = unpacked(self._peers.of_chief(known))
        for name, array in zip(("predictions", "fooled_by", "rounds"), told, strict=True):
            assert array is not None
            setattr(standing, name, array)
        return standing

    def keep(self, key: str, standing: Standing, rounds: int, parts: Iterable[int]) -> None:
        """As `StoredEvaluation.keep`, on the chief."""
        if self._stored is not None:
            self._stored.keep(key, standing, rounds, parts)

    def masking(self, compute: Callable[[], MaskingReport] | None) -> MaskingReport:
        """As `StoredEvaluation.masking`; others than the chief help to compute it."""
        if self._stored is not None:
            self._peers.of_chief(b"stored" if self._stored.has_masking else b"")
            return self._stored.masking(compute)
        is_there = bool(self._peers.of_chief(b""))
        return MaskingReport() if is_there or compute is None else compute()
