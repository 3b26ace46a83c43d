"""What the second stage refuses to start from."""

import types

import pytest

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.errors import UserError
from robgan_tf.stages.agreement import check_sources
from tests import tiny


def finetune_config(*bindings):
    shared = ("data.", "ResNetDiscriminator.", "ProjectedGradientDescent.")
    kept = [line for line in tiny.BINDINGS if line.startswith(shared)]
    needed = ["finetune.steps = 1", "finetune.batch_size = 8"]
    return read_config(FinetuneConfig, [], [*kept, *needed, *bindings])


def joint_run(head):
    config = tiny.config(f"ResNetDiscriminator.head = '{head}'")
    return types.SimpleNamespace(path="runs/gan", config=config)


def test_a_run_with_classes_gives_images_of_classes():
    scratch = finetune_config("finetune.start = 'scratch'")
    for head in ("class", "projection"):
        check_sources(scratch, joint_run(head), None)


def test_a_generator_without_classes_teaches_no_classifier():
    scratch = finetune_config("finetune.start = 'scratch'")
    with pytest.raises(UserError, match="the generator of runs/gan knows no classes"):
        check_sources(scratch, joint_run("none"), None)


def test_a_projection_discriminator_is_no_classifier_to_start_from():
    with pytest.raises(UserError, match=r"ResNetDiscriminator.head is 'projection' in runs/gan"):
        check_sources(finetune_config(), joint_run("projection"), None)
