"""Streamed mean and covariance against numpy's of all features at once."""

import subprocess
import sys

import numpy as np
import pytest

from robgan_tf.quality import moments as feature_statistics
from robgan_tf.quality.moments import (
    BLOCK_SIZE,
    FeatureStatistics,
    check_feature_sets,
    row_blocks,
)

COUNT = 3 * BLOCK_SIZE + 57


def features_with_mean(mean, count=COUNT, dimensions=5):
    random = np.random.default_rng(1)
    mixing = random.normal(size=[dimensions, dimensions])
    return random.normal(size=[count, dimensions]) @ mixing + mean


def statistics_of(features, batch_size=None):
    statistics = FeatureStatistics(features.shape[1])
    for rows in row_blocks(len(features), batch_size or len(features)):
        statistics.update(features[rows])
    return statistics


@pytest.mark.parametrize("mean", [0.0, 1.0, -1e6])
def test_moments_are_those_of_numpy(mean):
    features = features_with_mean(mean)
    statistics = statistics_of(features, 100)
    assert statistics.count == COUNT
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-12, atol=1e-12)
    expected = np.cov(features, rowvar=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(statistics.covariance, expected, rtol=0, atol=1e-11 * scale)
    np.testing.assert_array_equal(statistics.covariance, statistics.covariance.T)


@pytest.mark.parametrize("batch_size", [1, 7, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 700])
def test_the_batch_size_makes_no_difference_at_all(batch_size):
    features = features_with_mean(3.0)
    whole, batched = statistics_of(features), statistics_of(features, batch_size)
    np.testing.assert_array_equal(batched.mean, whole.mean)
    np.testing.assert_array_equal(batched.covariance, whole.covariance)


def test_reading_in_between_changes_rounding_only():
    features = features_with_mean(3.0)
    interrupted = FeatureStatistics(5)
    for rows in row_blocks(COUNT, 10):
        interrupted.update(features[rows])
        assert interrupted.mean.shape == (5,)
    whole = statistics_of(features)
    np.testing.assert_allclose(interrupted.mean, whole.mean, rtol=1e-12)
    scale = np.abs(whole.covariance).max()
    np.testing.assert_allclose(interrupted.covariance, whole.covariance, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("cut", [0, 1, 300, COUNT])
def test_merged_parts_are_the_whole(cut):
    features = features_with_mean(-2.0)
    # Parts with different means, so that what lies between them counts.
    features[:300] += 5.0
    first, second = FeatureStatistics(5), FeatureStatistics(5)
    first.update(features[:cut])
    second.update(features[cut:])
    first.merge(second)
    assert (first.count, second.count) == (COUNT, COUNT - cut)
    np.testing.assert_allclose(first.mean, features.mean(axis=0), rtol=1e-12)
    expected = np.cov(features, rowvar=False)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(first.covariance, expected, rtol=0, atol=1e-12 * scale)


def test_merged_with_itself_everything_counts_twice():
    features = features_with_mean(2.0)
    statistics = statistics_of(features)
    statistics.merge(statistics)
    assert statistics.count == 2 * COUNT
    expected = np.cov(np.concatenate([features, features]), rowvar=False)
    np.testing.assert_allclose(statistics.covariance, expected, rtol=1e-11)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int32, np.uint8])
def test_sums_are_float64_whatever_the_features_are(kind):
    features = np.random.default_rng(0).integers(0, 200, [500, 3]).astype(kind)
    statistics = statistics_of(features, 64)
    assert statistics.mean.dtype == statistics.covariance.dtype == np.float64
    np.testing.assert_allclose(statistics.mean, features.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(
        statistics.covariance, np.cov(features.astype(np.float64), rowvar=False)
    )


def test_results_are_copies():
    statistics = statistics_of(features_with_mean(1.0))
    mean, covariance = statistics.mean, statistics.covariance
    mean_before, covariance_before = mean.copy(), covariance.copy()
    mean += 1.0
    covariance += 1.0
    np.testing.assert_array_equal(statistics.mean, mean_before)
    np.testing.assert_array_equal(statistics.covariance, covariance_before)


def test_too_few_features():
    statistics = FeatureStatistics(2)
    with pytest.raises(ValueError, match="at least 1 feature vector"):
        _ = statistics.mean
    statistics.update(np.zeros([0, 2]))
    statistics.update([[1.0, 2.0]])
    np.testing.assert_array_equal(statistics.mean, [1.0, 2.0])
    with pytest.raises(ValueError, match="at least 2 feature vectors, and 1 were given"):
        _ = statistics.covariance
    statistics.update([[3.0, 2.0]])
    np.testing.assert_allclose(statistics.covariance, [[2.0, 0.0], [0.0, 0.0]], rtol=1e-15)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros([4]), r"matrix \[n, d\], not of shape \[4\]"),
        (np.zeros([4, 1, 2]), r"not of shape \[4, 1, 2\]"),
        (np.zeros([4, 3]), r"must be \[n, 2\], not \[4, 3\]"),
        ([[0.0, 0.0], [0.0, np.nan]], "must be finite, and row 1 is not"),
        ([[np.inf, 0.0]], "must be finite, and row 0 is not"),
    ],
)
def test_bad_batches_are_refused_and_not_counted(features, message):
    statistics = FeatureStatistics(2)
    with pytest.raises(ValueError, match=message):
        statistics.update(features)
    assert statistics.count == 0


def test_the_row_that_is_not_finite_is_named_in_any_block():
    features = np.zeros([2 * BLOCK_SIZE, 2])
    features[BLOCK_SIZE + 3, 1] = np.nan
    with pytest.raises(ValueError, match=f"row {BLOCK_SIZE + 3} is not"):
        FeatureStatistics(2).update(features)


def test_other_misuse():
    with pytest.raises(ValueError, match="dimensions must be at least 1, not 0"):
        FeatureStatistics(0)
    with pytest.raises(ValueError, match="2 dimensions cannot take in statistics of 3"):
        FeatureStatistics(2).merge(FeatureStatistics(3))
    with pytest.raises(ValueError, match="block_size must be at least 1, not 0"):
        row_blocks(5, 0)
    with pytest.raises(ValueError, match="b must have at least 2 rows, not 1"):
        check_feature_sets({"a": np.zeros([2, 3]), "b": np.zeros([1, 3])}, 2)
    with pytest.raises(ValueError, match="same width: a has 3 and b has 4"):
        check_feature_sets({"a": np.zeros([2, 3]), "b": np.zeros([2, 4])}, 2)


def test_row_blocks_cover_all_rows_once():
    assert row_blocks(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert row_blocks(0, 2) == []


# Loads the file alone: the peak of importing TensorFlow would hide what is measured.
MEMORY_SCRIPT = """
import resource, runpy, sys
import numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

statistics = runpy.run_path(sys.argv[1])["FeatureStatistics"](2048)
random = np.random.default_rng(0)
before = peak()
for _ in range(int(sys.argv[2]) // 500):
    statistics.update(random.standard_normal([500, 2048], np.float32))
assert abs(np.trace(statistics.covariance) / 2048 - 1) < 0.01
print(statistics.count, peak() - before)
"""


def test_memory_stays_bounded():
    """Kept together, these features would take 312 MiB in float64; 60,000 take 938 MiB."""
    output = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, feature_statistics.__file__, "20000"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    count, mebibytes = output.split()
    assert int(count) == 20_000
    # The same at any number of features.
    assert float(mebibytes) < 200
