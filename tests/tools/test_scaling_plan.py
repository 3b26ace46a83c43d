"""What a step asks: counts against hand-written graphs and the benchmark's own arithmetic."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import GeneratorOptimizerSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.keras_versions import Variable, tensorflow_variable, variable_path
from robgan_tf.models.building import build_generator
from robgan_tf.stages.build import build_optimizer
from tools.benchmarks.arithmetic import training_step_flops
from tools.benchmarks.models import discriminator, discriminator_flops, generator_flops
from tools.scaling import machines, steps
from tools.scaling.graph_costs import Costs, graph_costs
from tools.scaling.machines import A100, H200
from tools.scaling.plan import seconds_per_operation, step_time
from tools.scaling.steps import StepCosts

TINY = ["ResNetGenerator.base_width=4", "ResNetDiscriminator.base_width=4"]


def counted(function, *inputs):
    return graph_costs(tf.function(function, autograph=False).get_concrete_function(*inputs).graph)


def test_a_convolution_and_a_product_by_hand():
    images, kernel = tf.zeros([2, 6, 6, 3]), tf.zeros([3, 3, 3, 5])
    costs = counted(lambda x: tf.nn.conv2d(x, kernel, 2, "SAME"), images)
    assert costs == Costs(1, 2 * 2 * 9 * (3 * 3 * 3 * 5), 4 * (216 + 135 + 90))
    costs = counted(lambda a: tf.matmul(a, tf.zeros([7, 2]), transpose_a=True), tf.zeros([7, 4]))
    assert costs == Costs(1, 2 * 4 * 7 * 2, 4 * (28 + 14 + 8))


def test_gradients_of_a_convolution_cost_as_much_as_it():
    images, kernel = tf.zeros([2, 6, 6, 3]), tf.zeros([3, 3, 3, 5])

    def gradients(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.nn.conv2d(x, w, 1, "SAME")
        return tape.gradient(y, [x, w])

    forward = counted(lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), images, kernel)
    # What the forward pass gives is not used, so it is not computed.
    assert counted(gradients, images, kernel).flops == 2 * forward.flops


def test_rounds_of_a_loop_count_each():
    def loop(x, most):
        return tf.while_loop(lambda y: True, lambda y: (y @ y,), (x,), maximum_iterations=most)[0]

    once, thrice = (counted(lambda x, n=n: loop(x, n), tf.zeros([4, 4])) for n in (1, 3))
    assert once.flops == 2 * 4**3
    assert thrice == once.times(3)
    with pytest.raises(ValueError, match="how often"):
        counted(lambda x: loop(x, None), tf.zeros([4, 4]))


def test_an_update_of_adam_is_one_operation_and_its_gradient_is_counted():
    variable = Variable(np.zeros([4, 4], np.float32))
    optimizer = build_optimizer(GeneratorOptimizerSettings(), [variable])

    def update(power, gradient):
        optimizer.update(tensorflow_variable(variable), gradient @ gradient, *6 * [power])

    # The product reads two matrices and writes one; three arrays and the gradient are read, three
    # written.
    costs = counted(update, tf.zeros([]), tf.zeros([4, 4]))
    assert costs == Costs(2, 2 * 4**3, 4 * 16 * (3 + 7))


@pytest.fixture(scope="module")
def joint():
    return steps.joint("CIFAR-10", ["gin/cifar10.gin"], TINY)


def test_a_step_agrees_with_the_arithmetic_of_its_convolutions(joint):
    config = read_config(JointConfig, ["gin/cifar10.gin"], TINY)
    convolutions = training_step_flops(
        generator_flops(build_generator(config)),
        discriminator_flops(discriminator(4)),
        config.train.discriminator_updates,
        batch_size=1,
        attack_steps=config.attack.steps,
    )
    # Dense layers and the class embedding come on top.
    assert 1.0 <= joint.of_image.flops / convolutions < 1.05
    assert (joint.steps, joint.batch_size, joint.real_images) == (65000, 64, 320)


def test_replicas_exchange_gradients_and_statistics(joint):
    config = read_config(JointConfig, ["gin/cifar10.gin"], TINY)
    generator, model = build_generator(config), discriminator(4)
    generator.build()
    of_generator, of_discriminator = (
        4 * sum(v.shape.num_elements() for v in m.trainable_variables) for m in (generator, model)
    )
    gradients = 5 * of_discriminator + of_generator
    statistics = 8 * sum(
        v.shape.num_elements() for v in generator.variables if "moving_mean" in variable_path(v)
    )
    assert joint.synchronized_bytes == gradients + 7 * statistics


def test_stage_2_makes_its_generated_images_too(joint):
    finetuned = steps.finetune("stage 2", ["gin/finetune/rob_gan.gin"], ["gin/cifar10.gin"], TINY)
    config = read_config(JointConfig, ["gin/cifar10.gin"], TINY)
    of_d = discriminator_flops(discriminator(4))
    attack_and_update = 5 * 2 * of_d.total + 3 * of_d.total - of_d.first
    made = generator_flops(build_generator(config)).total / 2
    assert finetuned.of_image.flops == pytest.approx(attack_and_update + made, rel=0.05)
    assert (finetuned.batch_size, finetuned.real_images) == (128, 64)


def test_a_step_on_several_devices_by_hand():
    costs = StepCosts("", 10, 64, 320, Costs(2, 1e10, 0), Costs(100, 0, 0), 9e8, 50)
    one = step_time(costs, H200, 1, per_operation=1e-4)
    assert dataclasses.astuple(one) == pytest.approx((228e-4, 64e10 / machines.SUSTAINED, 0.0))
    eight = step_time(costs, H200, 8, per_operation=1e-4)
    assert eight.launching == pytest.approx(116e-4)
    assert eight.exchanging == pytest.approx(1.75 * 9e8 / 450e9 + 50 * machines.EXCHANGE_SECONDS)
    assert eight.total == pytest.approx(116e-4 + eight.exchanging)
    assert seconds_per_operation(costs, 0.228) == pytest.approx(1e-3)
    assert machines.sustained(A100) == pytest.approx(106e12 * 156 / 494.5)
