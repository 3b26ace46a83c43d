"""The devices and processes that an evaluation is spread over."""

import contextlib
import dataclasses
import io
from collections.abc import Iterator, Sequence

from typing_extensions import override

from robgan_tf.robustness.peers import ALONE, Peers
from robgan_tf.training.cluster import Workers, workers_of_environment
from robgan_tf.training.distribution import connect_workers, replica_devices
from robgan_tf.training.workers import Agreement, lost_workers_named

_REPLICAS = "--replicas"


@dataclasses.dataclass(frozen=True)
class Shares:
    """What an evaluation is spread over.

    Attributes:
      devices: names of this process's devices; none for the one that TensorFlow chooses.
      peers: the processes.
    """

    devices: Sequence[str] = ()
    peers: Peers = ALONE


class ConnectedPeers(Peers):
    """Workers that TensorFlow has connected.

    Args:
      workers: of TF_CONFIG.
      agreement: of them.
    """

    def __init__(self, workers: Workers, agreement: Agreement) -> None:
        self.index, self.count = workers.index, workers.count
        self._agreement = agreement

    @override
    def exchange(self, mine: bytes) -> list[bytes]:
        return self._agreement.exchange(mine)


@contextlib.contextmanager
def shared_evaluation(replicas: int) -> Iterator[Shares]:
    """Sets up devices, and connects the workers that TF_CONFIG names; all leave together.

    Call it before anything else uses TensorFlow's devices. Others than worker 0 are silent in it,
    but for their errors.

    Args:
      replicas: devices of each process.

    Raises:
      UserError: if there are fewer devices, or they cannot be set up any more.
      LostWorkerError: if another worker has not come or has ended.
    """
    workers = workers_of_environment()
    if workers.count == 1:
        yield Shares(replica_devices(replicas, _REPLICAS) if replicas > 1 else ())
        return
    strategy = connect_workers(replicas, _REPLICAS)
    agreement = Agreement(strategy, workers)
    devices = strategy.extended.worker_devices if replicas > 1 else ()
    with lost_workers_named(workers), contextlib.ExitStack() as silence:
        if not workers.is_chief:
            number = f"Worker {workers.index} of {workers.count}"
            print(f"{number} computes its share; worker 0 writes and prints", flush=True)
            silence.enter_context(contextlib.redirect_stdout(io.StringIO()))
        yield Shares(devices, ConnectedPeers(workers, agreement))
        # Nobody leaves while another still needs an answer.
        agreement.of_chief(0)
