"""Distribution strategies, and how a global batch is shared out over replicas."""

from typing import Any

import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.training.cluster import TF_CONFIG, workers_of_environment
from robgan_tf.training.meeting import meet, seconds_of_environment
from robgan_tf.training.threads import check_unused
from robgan_tf.training.workers import connecting


def make_strategy(
    name: str = "mirrored", replicas: int | None = None, group: str = "train"
) -> tf.distribute.Strategy:
    """Makes the distribution strategy of a run.

    Call it before anything else uses TensorFlow's devices: on a machine without GPUs, several
    replicas are logical CPU devices, which must be set up first.

    Args:
      name: "mirrored" or "single_device".
      replicas: number of replicas; None means every GPU, or one CPU. Where TF_CONFIG names several
        workers it is that of each of them.
      group: the group of settings that asks, for messages.

    Returns:
      A tf.distribute.Strategy.

    Raises:
      UserError: if there are fewer GPUs than replicas, a single device is to hold several, or
        logical devices are needed after this process has used TensorFlow's.
    """
    workers = workers_of_environment()
    if workers.count > 1:
        if name == "single_device":
            raise UserError(
                f"{TF_CONFIG} names several workers with {group}.distribution = 'single_device': "
                "they need 'mirrored'"
            )
        return connect_workers(replicas, f"{group}.replicas =")
    if name == "single_device":
        if replicas not in (None, 1):
            raise UserError(
                f"{group}.replicas = {replicas} with {group}.distribution = 'single_device': "
                "several replicas need 'mirrored'"
            )
        gpus = tf.config.list_physical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
    return tf.distribute.MirroredStrategy(replica_devices(replicas, f"{group}.replicas ="))


def connect_workers(replicas: int | None, name: str) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Connects this process with the others that TF_CONFIG names, all of which have to come.

    Args:
      replicas: devices of this process; None means every GPU, or one CPU.
      name: what messages call their number.

    Raises:
      UserError: if there are fewer GPUs, or this process has used TensorFlow already.
      LostWorkerError: if a worker has not come in time.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if (replicas or 1) > max(len(gpus), 1):
        raise UserError(
            f"{name} {replicas} on each worker, but this one has {len(gpus)} GPU(s)"
            + ("" if gpus else ": without any it is one replica; start more workers")
        )
    try:
        if gpus and replicas:
            tf.config.set_visible_devices(gpus[:replicas], "GPU")
        check_unused()
        meet(workers_of_environment(), seconds_of_environment())
        with connecting():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise UserError(
            f"{TF_CONFIG} names several workers, which needs a new process: this one has used "
            "TensorFlow already"
        ) from error


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
    batch_size: int,
    strategy: tf.distribute.Strategy,
    name: str = "train.batch_size =",
    accumulation_steps: int = 1,
) -> None:
    """Raises UserError unless the global batch divides evenly over replicas and micro-batches.

    Args:
      batch_size: images in it.
      strategy: the run's strategy.
      name: what the message calls it.
      accumulation_steps: micro-batches that it is worked through in.
    """
    replicas = strategy.num_replicas_in_sync
    count = replicas * accumulation_steps
    if batch_size % count:
        by = f"{replicas} replicas"
        if accumulation_steps > 1:
            by = f"{accumulation_steps} accumulation steps on {replicas} replica(s)"
        raise UserError(
            f"{name} {batch_size} is not divisible by {by}; "
            f"{batch_size // count * count or count} would be"
        )


def micro_batches(values: tf.Tensor, count: int, batch_axis: int = 0) -> tf.Tensor:
    """Cuts batches into equal runs of consecutive samples, each of which takes a batch's place.

    Args:
      values: tensor whose axes before `batch_axis` count batches: none or one.
      count: micro-batches in each.
      batch_axis: the axis of samples, 0 or 1, of a length divisible by `count`.

    Returns:
      Tensor [batches * count, samples, ...].
    """
    shape = values.shape.as_list()
    return tf.reshape(values, [-1, shape[batch_axis] // count, *shape[batch_axis + 1 :]])


def share_out(strategy: tf.distribute.Strategy, batch: tf.Tensor, batch_axis: int) -> Any:
    """Splits a tensor evenly over this worker's replicas, each getting consecutive samples.

    Args:
      strategy: the run's strategy.
      batch: tensor of the global batch; where there are several workers, of this one's part of it.
      batch_axis: the axis to split; its length is divisible by the number of replicas.

    Returns:
      A per-replica value for `strategy.run`.
    """
    count = strategy.num_replicas_in_sync // workers_of_environment().count
    if count == strategy.num_replicas_in_sync == 1:
        return batch
    parts = tf.split(batch, count, axis=batch_axis)
    return strategy.experimental_distribute_values_from_function(
        lambda context: parts[context.replica_id_in_sync_group % count]
    )


def local_part(global_values: tf.Tensor, number: int | tf.Tensor = 0, count: int = 1) -> tf.Tensor:
    """The calling replica's run of consecutive samples of a tensor [global batch, ...].

    Args:
      global_values: of all replicas.
      number: of a micro-batch, of which it is the replica's part.
      count: micro-batches in the batch; 1 where it is not cut.
    """
    if count > 1:
        global_values = micro_batches(global_values, count)[number]
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
