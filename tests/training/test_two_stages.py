"""What the second stage refuses to start from."""

import types

import pytest

from robgan_tf.configuration import read_settings
from robgan_tf.errors import UserError
from robgan_tf.settings import FINETUNE_SETTINGS
from robgan_tf.training.two_stages import check_sources
from tests import tiny


def finetune_settings(*bindings):
    shared = ("data.", "ResNetDiscriminator.", "ProjectedGradientDescent.")
    kept = [line for line in tiny.BINDINGS if line.startswith(shared)]
    needed = ["finetune.steps = 1", "finetune.batch_size = 8"]
    return read_settings([], [*kept, *needed, *bindings], FINETUNE_SETTINGS)


def joint_run(head):
    settings = tiny.settings(f"ResNetDiscriminator.head = '{head}'")
    return types.SimpleNamespace(path="runs/gan", settings=settings)


def test_a_run_with_classes_gives_images_of_classes():
    scratch = finetune_settings("finetune.start = 'scratch'")
    for head in ("class", "projection"):
        check_sources(scratch, joint_run(head), None)


def test_a_generator_without_classes_teaches_no_classifier():
    scratch = finetune_settings("finetune.start = 'scratch'")
    with pytest.raises(UserError, match="the generator of runs/gan knows no classes"):
        check_sources(scratch, joint_run("none"), None)


def test_a_projection_discriminator_is_no_classifier_to_start_from():
    with pytest.raises(UserError, match=r"ResNetDiscriminator.head is 'projection' in runs/gan"):
        check_sources(finetune_settings(), joint_run("projection"), None)
