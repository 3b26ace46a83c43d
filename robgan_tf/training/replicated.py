"""What every training step does on all replicas: run, average, check for NaN, apply gradients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from robgan_tf.errors import NonFiniteError
from robgan_tf.keras_versions import Variable, variable_path
from robgan_tf.typing import Scalars


class Names(NamedTuple):
    """What the numbers that a part of a step returns are called."""

    metrics: list[str]
    checks: list[Any]


def run_on_replicas(
    strategy: tf.distribute.Strategy,
    function: Callable[..., tuple[Scalars, Mapping[Any, tf.Tensor]]],
    *arguments: Any,
) -> tuple[Names, tf.Tensor, tf.Tensor]:
    """Runs a part of a step that returns two dicts of scalars: metrics, and what to check.

    Args:
      strategy: the run's strategy.
      function: what each replica runs.
      *arguments: its arguments, per-replica values or tensors.

    Returns:
      The Names, the metrics' means over replicas [metrics], and int32 [checks, replicas], 1 where
      a check is not finite.
    """
    traced: list[Names] = []

    def stacked(*arguments: Any) -> tuple[tf.Tensor, tf.Tensor]:
        metrics, checks = function(*arguments)
        traced[:] = [Names(list(metrics), list(checks))]
        return tf.stack(list(metrics.values())), _not_finite(checks)

    metrics, non_finite = strategy.run(stacked, args=arguments)
    return (
        traced[0],
        strategy.reduce(tf.distribute.ReduceOp.MEAN, metrics, axis=None),
        _of_all_replicas(strategy, non_finite),
    )


def check_on_replicas(
    strategy: tf.distribute.Strategy, function: Callable[[], Mapping[Any, tf.Tensor]]
) -> tuple[list[Any], tf.Tensor]:
    """Runs a part of a step that returns a dict of scalars to check, and measures nothing.

    Args:
      strategy: the run's strategy.
      function: what each replica runs.

    Returns:
      Names of the checks, and int32 [checks, replicas], 1 where one is not finite.
    """
    traced: list[list[Any]] = []

    def stacked() -> tf.Tensor:
        checks = function()
        traced[:] = [list(checks)]
        return _not_finite(checks)

    non_finite = strategy.run(stacked)
    return traced[0], _of_all_replicas(strategy, non_finite)


def raise_if_not_finite(
    step: tf.Tensor,
    names: Sequence[str],
    non_finite: tf.Tensor,
    strategy: tf.distribute.Strategy,
) -> None:
    """Raises NonFiniteError that names the first check that is not finite, and its replicas.

    Args:
      step: number of the step.
      names: what the checks are called, in the order in which they were made.
      non_finite: [checks, replicas] integers, not 0 where a check is not finite.
      strategy: the run's strategy.
    """
    found = non_finite.numpy()
    culprits = found.any(axis=1).nonzero()[0]
    if not len(culprits):
        return
    first = culprits[0]
    more = f" (and {len(culprits) - 1} more)" if len(culprits) > 1 else ""
    where = _replicas(found[first].nonzero()[0], strategy)
    raise NonFiniteError(f"step {int(step)}{where}: {names[first]} is not finite{more}")


def _not_finite(checks: Mapping[Any, tf.Tensor]) -> tf.Tensor:
    """int32 [checks], 1 where one is not finite."""
    return tf.cast(~tf.math.is_finite(tf.stack(list(checks.values()))), tf.int32)


def _of_all_replicas(strategy: tf.distribute.Strategy, values: Any) -> tf.Tensor:
    """Per-replica values [n] as a tensor [n, replicas], of all workers."""
    local = strategy.experimental_local_results(values)
    if len(local) == strategy.num_replicas_in_sync:
        return tf.stack(local, axis=1)
    columns = strategy.run(lambda column: column[:, tf.newaxis], args=(values,))
    return strategy.gather(columns, axis=1)


def _replicas(numbers: Sequence[int], strategy: tf.distribute.Strategy) -> str:
    """Which replicas of several; "" where there is one."""
    if strategy.num_replicas_in_sync == 1:
        return ""
    devices = [device.rpartition("device:")[2] for device in strategy.extended.worker_devices]
    if len(devices) < strategy.num_replicas_in_sync:
        # Those of other workers are not known by name.
        return ", replica " + " and ".join(map(str, numbers))
    return ", replica " + " and ".join(f"{number} ({devices[number]})" for number in numbers)


def apply_gradients(
    gradients: Sequence[tf.Tensor],
    variables: Sequence[Variable],
    optimizer: keras.optimizers.Optimizer,
    checks: Scalars,
) -> None:
    """Adds up the gradients of all replicas (in the optimizer) and applies them.

    Args:
      gradients: of this replica's part of the loss.
      variables: what they are of.
      optimizer: a built Keras optimizer.
      checks: dict to which a check of each gradient is added.
    """
    for variable, gradient in zip(variables, gradients, strict=True):
        # A sum is finite only if every element is, and costs one pass.
        checks[f"gradient of {variable_path(variable)}"] = tf.reduce_sum(gradient)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
