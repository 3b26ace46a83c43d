"""When an alarm is raised, and when not."""

import pytest

from robgan_tf.config.groups import AlarmSettings
from robgan_tf.quality.alarms import alarms_seen, collapse_alarms

HEALTHY = {
    "fid/x/train1k-1k": 60.0,
    "diversity/mean": 0.9,
    "diversity/worst_class": 0.7,
    "diversity/nearest_mean": 0.8,
    "diversity/nearest_worst_class": 0.6,
    "ms_ssim/worst_class_generated": 0.6,
    "ms_ssim/worst_class_real": 0.4,
    "realness/real": 0.7,
    "realness/fake": 0.3,
    "accuracy_class/held_out": 0.5,
    "accuracy_class/generated": 0.6,
}
HISTORY = [
    {"step": 500, "fid/x/train1k-1k": 80.0},
    {"step": 1000, "fid/x/train1k-1k": 50.0},
    {"step": 1500, "fid/x/train1k-1k": 70.0},
    {"step": 2000, "loss": 1.0},
]


def alarms(changes, history=HISTORY, num_classes=10):
    return collapse_alarms({**HEALTHY, **changes}, history, AlarmSettings(), num_classes, 500)


def test_a_healthy_run_raises_none():
    assert alarms({}) == {}


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"diversity/worst_class": 0.1}, "diversity", "0.10 times as much"),
        (
            {"diversity/nearest_worst_class": 0.2},
            "repetition",
            "0.20 times as far from the nearest",
        ),
        ({"ms_ssim/worst_class_generated": 0.95}, "similarity", "MS-SSIM 0.95, 0.40 of real"),
        ({"realness/fake": 0.005}, "saturation", "generated images as generated with 0.995"),
        ({"realness/real": 0.99}, "saturation", "real images as real with 0.990"),
        ({"accuracy_class/held_out": 0.11}, "classes", "chance is 10.0%"),
        ({"accuracy_class/generated": 0.12}, "classes", "G ignores classes"),
        ({"fid/x/train1k-1k": 101.0}, "worsening", "2.0 times its best"),
    ],
)
def test_each_sign_raises_its_alarm_and_says_what_was_seen(changes, name, words):
    raised = alarms(changes)
    assert list(raised) == [name]
    assert words in raised[name]


def test_alike_images_are_no_collapse_where_the_real_ones_are_alike_too():
    assert alarms({"ms_ssim/worst_class_generated": 0.9, "ms_ssim/worst_class_real": 0.8}) == {}
    worse = {"ms_ssim/worst_class_generated": 0.97, "ms_ssim/worst_class_real": 0.8}
    assert list(alarms(worse)) == ["similarity"]


def test_without_classes_there_is_no_alarm_about_them():
    assert alarms({"accuracy_class/held_out": 0.0}, num_classes=0) == {}


def test_the_first_measurement_has_nothing_to_be_worse_than():
    assert alarms({"fid/x/train1k-1k": 1e6}, history=[]) == {}


def test_what_a_run_has_raised():
    records = [
        {"step": 10, "loss": 1.0},
        {"step": 20, "realness/real": 0.5},
        {"step": 40, "realness/real": 0.5, "alarm/classes": 1.0, "alarm/diversity": 1.0},
        {"step": 50, "loss": 1.0},
        {"step": 60, "realness/real": 0.5, "alarm/diversity": 1.0},
        {"step": 80, "realness/real": 0.5},
    ]
    assert alarms_seen(records) == {
        "measurements": 4,
        "alarms": {
            "classes": {"times": 1, "first_step": 40, "last_step": 40},
            "diversity": {"times": 2, "first_step": 40, "last_step": 60},
        },
    }
    assert alarms_seen(records[:1]) == {"measurements": 0, "alarms": {}}
