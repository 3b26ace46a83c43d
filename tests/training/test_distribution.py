"""Sharing a global batch out over replicas. Replicas themselves: tests/commands/test_train.py."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.training.distribution import check_batch_size, make_strategy, share_out


class TwoReplicas:
    """As much of a strategy as sharing out needs."""

    num_replicas_in_sync = 2

    def experimental_distribute_values_from_function(self, value_of):
        class Context:
            def __init__(self, number):
                self.replica_id_in_sync_group = number

        return [value_of(Context(number)) for number in range(2)]


def test_each_replica_gets_a_run_of_consecutive_samples():
    batch = tf.reshape(tf.range(24), [3, 8])
    first, second = share_out(TwoReplicas(), batch, batch_axis=1)
    np.testing.assert_array_equal(first, batch[:, :4])
    np.testing.assert_array_equal(second, batch[:, 4:])


def test_one_replica_gets_the_batch_itself():
    batch = tf.range(8)
    assert share_out(make_strategy("single_device"), batch, batch_axis=0) is batch


@pytest.mark.parametrize(("size", "proposal"), [(7, "6 would be"), (1, "2 would be")])
def test_batch_must_divide_evenly(size, proposal):
    check_batch_size(8, TwoReplicas())
    with pytest.raises(UserError, match=f"{size} is not divisible by 2 replicas; {proposal}"):
        check_batch_size(size, TwoReplicas())


def test_single_device_refuses_several_replicas():
    with pytest.raises(UserError, match="several replicas need 'mirrored'"):
        make_strategy("single_device", 2)
