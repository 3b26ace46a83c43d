"""Networks and compiled steps that runs of equal networks share, for tests of many such runs.

Tracing a step takes ten times as long as making one. A run finds the variables as they were when
they had just been built, so it begins, or continues, as in a process of its own; tests of commands
start one such process too.
"""

import contextlib
import functools
import re

import numpy as np
import pytest

from robgan_tf.robustness import run as robustness
from robgan_tf.robustness.accuracy import AccuracyMeter
from robgan_tf.stages import finetune, finetune_task, joint_task
from robgan_tf.stages.finetune import FinetuneStage
from robgan_tf.stages.joint import JointStage
from robgan_tf.watching import final_evaluation, quality

# What has no part in networks and step.
_AROUND = re.compile(
    r"(train|finetune)\.(steps|\w+_every|keep_checkpoints)$|(gap|quality|alarms|final_evaluation)\."
)


@contextlib.contextmanager
def kept():
    """In this context, stages keep their players and their step for the next of equal networks."""
    with pytest.MonkeyPatch.context() as patched:
        for stage in (JointStage, FinetuneStage):
            _keep(stage, patched)
        patched.setattr(joint_task, "Diagnostics", functools.cache(joint_task.Diagnostics))
        _keep_gap_meters(patched)
        _keep_accuracy_meters(patched)
        keep_quality(patched)
        for module in (joint_task, finetune_task):
            _keep_attack_pictures(module, patched)
        yield


def keep_quality(patched):
    """The same for what image quality is measured with while training, of models that are kept."""
    for name in ("GeneratedSet", "Judgement"):
        patched.setattr(quality, name, functools.cache(getattr(quality, name)))


def keep_attacked_classifiers(patched):
    """The same for what is attacked by evaluations: equal weights are compiled once."""
    make, classifiers = robustness.CompiledClassifier, {}

    def kept_classifier(classifier, image_shape, *spread_over):
        key = repr((classifier.name, classifier.source, classifier.input_range, image_shape))
        if key not in classifiers:
            classifiers[key] = make(classifier, image_shape, *spread_over)
        return classifiers[key]

    patched.setattr(robustness, "CompiledClassifier", kept_classifier)


def _keep_attack_pictures(module, patched):
    make, pictures = module.AttackPictures, {}

    def kept_pictures(model, *others):
        # The model is kept, so that its identity is no other's; its attack and data are its own.
        if id(model) not in pictures:
            pictures[id(model)] = make(model, *others)
        return pictures[id(model)]

    patched.setattr(module, "AttackPictures", kept_pictures)


def _keep_gap_meters(patched):
    make, meters = finetune.gap_meter, {}

    def kept_meter(config, data, model):
        key = id(model), repr(config.gap), repr(config.final_evaluation), repr(config.data)
        if key not in meters:
            meters[key] = make(config, data, model)
        return meters[key]

    patched.setattr(finetune, "gap_meter", kept_meter)


def _keep_accuracy_meters(patched):
    meters = {}

    def accuracy(model, batches, attack):
        key = id(model), repr(vars(attack))
        if key not in meters:
            meters[key] = AccuracyMeter(model, attack)
        return meters[key](batches)

    patched.setattr(final_evaluation, "accuracy_under_attack", accuracy)


def _keep(stage_class, patched):
    build_players, build_step = stage_class.build_players, stage_class.build_step
    players_of, steps = {}, {}

    def kept_players(stage):
        key = _networks(stage)
        if key not in players_of:
            players = build_players(stage)
            players_of[key] = players, [np.array(x) for x in _variables(players)]
        players, values = players_of[key]
        for variable, value in zip(_variables(players), values, strict=True):
            variable.assign(value)
        return players

    def kept_step(stage, players):
        if _networks(stage) not in steps:
            steps[_networks(stage)] = build_step(stage, players)
        return steps[_networks(stage)]

    patched.setattr(stage_class, "build_players", kept_players)
    patched.setattr(stage_class, "build_step", kept_step)


def _networks(stage):
    flat = stage.config.flat().items()
    return repr({name: value for name, value in flat if not _AROUND.match(name)})


def _variables(players):
    parts = [part for part in vars(players).values() if part is not None]
    return [variable for part in parts for variable in part.variables]
