"""docs/reference/metrics.md names what runs of both stages write, and nothing else."""

import pathlib
import re

import pytest

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.config.groups import AlarmSettings
from robgan_tf.config.joint import JointConfig
from robgan_tf.losses.objective.mart import Mart
from robgan_tf.quality.alarms import ALARM_PREFIX, collapse_alarms
from robgan_tf.reporting import read_metrics
from tests import tiny, tiny_classifier
from tests.eager import eagerly

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
OLD_RUN = pathlib.Path(__file__).parents[1] / "tiny_run" / "tuned"
# Records twice, so that there is a speed; everything measured; the terms that others lack; of the
# rest as little as there can be.
JOINT = (
    *(*tiny.BINDINGS, "train.steps = 2", "train.log_every = 1", "AdversarialLoss.form = 'ac_gan'"),
    *("gap.every = 2", "gap.images = 4", "final_evaluation.images = 0"),
    *("quality.every = 2", "quality.images = 20", "quality.real_images = 40"),
    *("train.discriminator_updates = 1", "ProjectedGradientDescent.steps = 1"),
)
SHARED = ("train.", "ResNetGenerator", "AdversarialLoss", "gap.", "quality.", "final_")
TUNED = (
    *(binding for binding in JOINT if not binding.startswith(SHARED)),
    *("finetune.steps = 2", "finetune.batch_size = 8", "finetune.log_every = 1"),
    *("finetune.lipschitz_weight = 0.1", "gap.every = 2", "gap.images = 4"),
    "final_evaluation.images = 0",
)
# What other objectives write besides.
TRADES = (
    *TUNED,
    *("finetune.objective = 'trades'", "finetune.weight_perturbation = 0.01"),
    *("finetune.steps = 1", "finetune.lipschitz_weight = 0.0", "gap.every = 0"),
)
# Every alarm there is, at once.
ALARMING = {
    "diversity/worst_class": 0.0,
    "diversity/mean": 0.0,
    "diversity/nearest_worst_class": 0.0,
    "diversity/nearest_mean": 0.0,
    "ms_ssim/worst_class_generated": 1.0,
    "ms_ssim/worst_class_real": 0.0,
    "realness/real": 1.0,
    "realness/fake": 0.0,
    "accuracy_class/held_out": 0.0,
    "fid/a": 3.0,
}


def names_of(path: pathlib.Path) -> set[str]:
    """The names in a run's metrics, those of image quality cut to "fid/*"."""
    names = {name for record in read_metrics(path / "metrics.jsonl") for name in record}
    return {re.sub(r"^([a-z_]+)/pixels-.*", r"\1/*", name) for name in names}


@pytest.fixture(scope="module")
def of_stages(tmp_path_factory) -> dict[str, set[str]]:
    """Names of metrics that a run of each stage writes, by the stage."""
    from robgan_tf.stages.finetune import FinetuneStage
    from robgan_tf.stages.finished import open_run
    from robgan_tf.stages.joint import JointStage

    folder = tmp_path_factory.mktemp("metrics")
    # Names do not depend on how the few steps are run.
    with eagerly():
        JointStage(read_config(JointConfig, [], JOINT), str(folder / "joint")).train()
        gan = open_run(str(folder / "joint"), "last")
        config = read_config(FinetuneConfig, [], TUNED)
        FinetuneStage(config, str(folder / "tuned"), gan=gan).train()
        config = read_config(FinetuneConfig, [], TRADES)
        FinetuneStage(config, str(folder / "trades"), gan=gan).train()
        mart = tiny_classifier.build(tiny_classifier.changed_objective(loss=Mart()))
        of_mart = set(mart(*tiny_classifier.batches(), tiny_classifier.step_number()))
    names = {stage: names_of(folder / stage) for stage in ("joint", "tuned", "trades")}
    return names | {"mart": of_mart}


@pytest.fixture(scope="module")
def written(of_stages) -> set[str]:
    """Names of metrics that a run of either stage writes."""
    return set.union(*of_stages.values())


@pytest.fixture(scope="module")
def documented() -> set[str]:
    """Names of metrics in the first column of the page's tables."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_name_that_a_run_writes_is_on_the_page(written, documented):
    assert written - documented == set()


def test_what_both_stages_measure_has_one_name(of_stages):
    """The class loss and the class accuracy on attacked real images, beside the gap and so on."""
    shared = of_stages["joint"] & of_stages["tuned"]
    assert {"loss_discriminator/real_class", "accuracy_class/attacked", "attack/epsilon"} <= shared
    # Besides the rate and the count of the one network that the second stage trains, it alone
    # attacks generated images, and takes Lipschitz values of the class loss.
    alone = {name for name in of_stages["tuned"] - shared if "fake_attacked" not in name}
    assert alone == {
        "lipschitz_class/attacked",
        "learning_rate/classifier",
        "count/classifier_updates",
    }


def test_the_names_of_an_old_run_are_read_as_those_on_the_page(documented):
    path = OLD_RUN / "metrics.jsonl"
    assert "loss/real_attacked" in path.read_text()
    assert names_of(OLD_RUN) <= documented


def test_nothing_is_on_the_page_that_nothing_writes(written, documented):
    of_class_logits = {"is/*", "is_deviation/*"}
    of_alarms = {name for name in documented if name.startswith(ALARM_PREFIX)}
    assert documented - written == of_class_logits | of_alarms


def test_every_alarm_is_on_the_page(documented):
    alarms = collapse_alarms(ALARMING, [{"fid/a": 1.0}], AlarmSettings(), 10, 100)
    assert {ALARM_PREFIX + name for name in alarms} == {
        name for name in documented if name.startswith(ALARM_PREFIX)
    }
