"""Distribution strategies, and how a global batch is shared out over replicas."""

from typing import Any

import tensorflow as tf

from robgan_tf.errors import UserError


def make_strategy(
    name: str = "mirrored", replicas: int | None = None, group: str = "train"
) -> tf.distribute.Strategy:
    """Makes the distribution strategy of a run.

    Call it before anything else uses TensorFlow's devices: on a machine without GPUs, several
    replicas are logical CPU devices, which must be set up first.

    Args:
      name: "mirrored" or "single_device".
      replicas: number of replicas; None means every GPU, or one CPU.
      group: the group of settings that asks, for messages.

    Returns:
      A tf.distribute.Strategy.

    Raises:
      UserError: if there are fewer GPUs than replicas, a single device is to hold several, or
        logical devices are needed after this process has used TensorFlow's.
    """
    if name == "single_device":
        if replicas not in (None, 1):
            raise UserError(
                f"{group}.replicas = {replicas} with {group}.distribution = 'single_device': "
                "several replicas need 'mirrored'"
            )
        gpus = tf.config.list_physical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
    return tf.distribute.MirroredStrategy(replica_devices(replicas, f"{group}.replicas ="))


def replica_devices(replicas: int | None, name: str) -> list[str]:
    """Names of the devices of so many replicas, which on a machine without GPUs are made.

    Call it before anything else uses TensorFlow's devices.

    Args:
      replicas: how many; None means every GPU, or one CPU.
      name: what messages call their number.

    Raises:
      UserError: if there are fewer GPUs, or logical devices are needed after this process has used
        TensorFlow's.
    """
    gpus = tf.config.list_physical_devices("GPU")
    count = replicas or len(gpus) or 1
    if gpus and count > len(gpus):
        raise UserError(f"{name} {count}, but this machine has {len(gpus)} GPU(s)")
    if not gpus and count > 1:
        try:
            _make_logical_cpus(count)
        except RuntimeError as error:
            raise UserError(
                f"{name} {count} needs a new process: TensorFlow's devices, which this one has "
                "used already, are set up once"
            ) from error
    kind = "GPU" if gpus else "CPU"
    return [f"{kind}:{index}" for index in range(count)]


def check_batch_size(
    batch_size: int, strategy: tf.distribute.Strategy, name: str = "train.batch_size ="
) -> None:
    """Raises UserError unless the global batch divides evenly over the replicas.

    Args:
      batch_size: images in it.
      strategy: the run's strategy.
      name: what the message calls it.
    """
    count = strategy.num_replicas_in_sync
    if batch_size % count:
        raise UserError(
            f"{name} {batch_size} is not divisible by {count} replicas; "
            f"{batch_size // count * count or count} would be"
        )


def share_out(strategy: tf.distribute.Strategy, batch: tf.Tensor, batch_axis: int) -> Any:
    """Splits a tensor evenly over the replicas, each getting a run of consecutive samples.

    Args:
      strategy: the run's strategy.
      batch: tensor of the global batch.
      batch_axis: the axis to split; its length is divisible by the number of replicas.

    Returns:
      A per-replica value for `strategy.run`.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return batch
    parts = tf.split(batch, count, axis=batch_axis)
    return strategy.experimental_distribute_values_from_function(
        lambda context: parts[context.replica_id_in_sync_group]
    )


def local_part(global_values: tf.Tensor) -> tf.Tensor:
    """The calling replica's run of consecutive samples of a tensor [global batch, ...]."""
    replica = tf.distribute.get_replica_context()
    size = global_values.shape[0] // replica.num_replicas_in_sync
    start = replica.replica_id_in_sync_group * size
    return global_values[start : start + size]


def _make_logical_cpus(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    configured = tf.config.get_logical_device_configuration(cpu)
    if configured is None or len(configured) < count:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
