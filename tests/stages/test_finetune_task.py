"""The classifier's task: what chooses the best checkpoint."""

import numpy as np

from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.stages.finetune_task import FinetuneTask
from tests import tiny_classifier as tiny
from tests.data.helpers import numbered_source


def test_held_out_accuracy_under_attack_chooses_the_best_and_nothing_else(tmp_path):
    """Every other measure says the opposite: the official code chose by what it was tested on."""
    step = tiny.build()
    best = BestCheckpoint(tmp_path, {"classifier": step.players.classifier})
    measured = iter(
        {
            f"gap/{split}_{measure}": held_out
            if (split, measure) == ("validation", "attacked")
            else 1.0 - held_out
            for split in ("train", "validation", "test")
            for measure in ("clean", "attacked", "lipschitz")
        }
        for held_out in (0.2, 0.7, 0.4)
    )
    source = numbered_source(20, resolution=16, classes=10)
    task = FinetuneTask(step, source, lambda: next(measured), 1, best)
    values = [task.evaluate(number, lambda every: every == 1)[0] for number in (1, 2, 3)]
    assert (int(best.step), float(best.value)) == (2, 0.7)
    np.testing.assert_allclose([v["gap/test_attacked"] for v in values], [0.8, 0.3, 0.6])
