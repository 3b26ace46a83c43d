import math

import pytest

from robgan_tf.reporting import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (59.6, "0:01:00"),
        (201, "0:03:21"),
        (3723, "1:02:03"),
        (86399, "23:59:59"),
        (2 * 86400 + 3723, "2 d 01:02:03"),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
def test_impossible_duration_is_refused(seconds):
    with pytest.raises(ValueError, match="duration"):
        format_duration(seconds)
