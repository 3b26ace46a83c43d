"""An evaluation of several processes is that of one, digit for digit; the chief alone writes."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.files import read_npz
from robgan_tf.quality.extractors import open_extractor
from robgan_tf.quality.measured_images import MeasuredImages
from robgan_tf.quality.run import evaluate_quality
from robgan_tf.robustness import run as robustness_run
from robgan_tf.robustness import stored
from robgan_tf.robustness.asked import Protocol
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.peers import ALONE
from robgan_tf.robustness.replicas import spread
from robgan_tf.robustness.run import evaluate_robustness
from robgan_tf.robustness.signs import Check
from robgan_tf.robustness.subjects import Classifier
from tests.thread_peers import LostPeerError, together

COUNT = 103
PIXELS = np.random.default_rng(0).integers(0, 256, [COUNT, 6, 6, 1]).astype(np.uint8)
IMAGES = PIXELS.astype(np.float32) / 127.5 - 1.0
# Of one form, which is compiled once; of two random starts each.
ATTACKS = [
    PGDSearch(epsilon, 3, epsilon / 2, "linf", True, "cross_entropy", 2, name=f"pgd-{epsilon}")
    for epsilon in (0.01, 0.03)
]


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.layers.Input([6, 6, 1]), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    return Classifier("x", lambda images: 5.0 * model(images, training=False), "x")


@pytest.fixture(scope="module")
def labels(classifier):
    found = np.argmax(classifier.logits(IMAGES), axis=1)
    found[::7] = (found[::7] + 1) % 4
    return found


def test_batches_are_dealt_out_and_all_get_every_result():
    batches = [np.arange(3 * i, 3 * i + 3) for i in range(8)]
    computed = {}

    def of(peers):
        def call(batch):
            computed.setdefault(peers.index, []).append(int(batch[0]))
            return batch * 2, None

        return [(b.tolist(), r[0].tolist(), r[1]) for b, _, r in spread(batches, [call], peers)]

    expected = [(batch.tolist(), (2 * batch).tolist(), None) for batch in batches]
    assert together(3, of) == [expected] * 3
    assert computed == {0: [0, 9, 18], 1: [3, 12, 21], 2: [6, 15]}


def test_verdicts_images_and_counts_are_those_of_one(classifier, labels):
    def attacked(peers, devices=None):
        compiled = CompiledClassifier(classifier, IMAGES.shape[1:], devices, peers)
        evaluation = RobustnessEvaluation(compiled, ATTACKS, batch_size=10)
        outcome = evaluation.run(IMAGES, labels)
        queries = compiled.gradients.queries, compiled.gradients.own[2]
        return outcome, evaluation.gradients, queries

    one, counts, (queries, _) = attacked(ALONE)
    assert all(
        0 < part["fooled"] < part["images"]
        for part in one.parts([attack.name for attack in ATTACKS])
    )
    assert counts.followed > 0
    found = together(2, lambda peers: attacked(peers, ["CPU:0", "CPU:0"]))
    for outcome, counts_of_all, (queries_of_all, _) in found:
        for name in ("predictions", "fooled_by", "adversarial"):
            np.testing.assert_array_equal(getattr(outcome, name), getattr(one, name))
        assert counts_of_all == counts and queries_of_all == queries
    own = [queries_of_one for _, _, (_, queries_of_one) in found]
    assert sum(own) == queries and max(own) < 0.6 * queries


def evaluated(classifier, labels, directory, peers=ALONE, **asked):
    source = InMemorySource(PIXELS, labels, tuple("abcd"), 6)
    protocol = Protocol("published", (0.05,), batch_size=10, save_images=True, **asked)
    return evaluate_robustness([(classifier, directory, "x")], source, protocol, peers=peers)


def files(directory):
    record = json.loads((directory / "x.json").read_text())
    for row in record["radii"]:
        row.pop("seconds")
    images = {name: x.tolist() for name, x in read_npz(directory / "x_images.npz").items()}
    return record, images, (directory / "x_samples.csv").read_text()


@pytest.fixture(scope="module")
def of_one(classifier, labels, tmp_path_factory):
    directory = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(robustness_run, "masking_report", sign)
        evaluated(classifier, labels, directory)
    return files(directory)


def sign(compiled, images, labels, *rest):
    evaluation = RobustnessEvaluation(compiled, [fgsm(0.05, "linf")], batch_size=10)
    return [Check("sign", True, f"{evaluation.run(images, labels).survived.mean()}")]


def test_the_chief_alone_writes_what_one_would(classifier, labels, of_one, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness_run, "masking_report", sign)
    folders = [tmp_path / str(index) for index in range(2)]
    for _ in range(2):
        together(2, lambda peers: evaluated(classifier, labels, folders[peers.index], peers))
        assert files(folders[0]) == of_one
        # The second time all is stored, which the chief alone knows, and nothing is computed.
        monkeypatch.setattr(CompiledClassifier, "search", lambda *_: None)
        monkeypatch.setattr(robustness_run, "masking_report", None)
    assert not folders[1].exists()


def test_what_is_left_of_two_is_gone_on_with_by_three_and_finished_by_one(
    classifier, labels, of_one, tmp_path, monkeypatch
):
    monkeypatch.setattr(stored, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(robustness_run, "masking_report", sign)
    search, batches = CompiledClassifier.search, []

    def dying(self, *arguments):
        found = search(self, *arguments)

        def call(*given):
            batches.append(self.peers.index)
            if self.peers.index == 1 and batches.count(1) == 2:
                raise OSError("dies")
            return found(*given)

        return call

    monkeypatch.setattr(CompiledClassifier, "search", dying)
    for count in (2, 3):
        batches.clear()
        ended = together(
            count, lambda peers: evaluated(classifier, labels, tmp_path, peers, masking=False)
        )
        assert [type(error) for error in ended[:2]] == [LostPeerError, OSError]
        assert not (tmp_path / "x.json").exists()
    batches.clear()
    evaluated(classifier, labels, tmp_path, masking=False)
    # Of nine a batch of each of two, then of each of three, had been stored.
    assert len(batches) == 4
    record, images, samples = files(tmp_path)
    assert images == of_one[1] and samples == of_one[2]
    assert record["radii"] == of_one[0]["radii"]


def test_processes_that_were_asked_otherwise_are_refused(classifier, labels, tmp_path):
    ended = together(
        2, lambda peers: evaluated(classifier, labels, tmp_path, peers, seed=peers.index)
    )
    for error in ended:
        assert isinstance(error, UserError)
        assert str(error).startswith("the evaluation of worker 1 is not that of worker 0")
    assert not list(tmp_path.iterdir())


def test_image_quality_of_two_is_that_of_one(tmp_path, capsys):
    opened = open_extractor("pixels", 6, 1)
    real = InMemorySource(PIXELS, np.arange(COUNT) % 2, ("a", "b"), 6)
    fake = np.random.default_rng(1).integers(0, 256, [COUNT, 6, 6, 1]).astype(np.uint8)
    sizes = {}

    def measured(peers, folder):
        def call(images):
            sizes.setdefault(peers.index, []).append(len(images))
            return opened.call(images)

        def batches():
            for start in range(0, COUNT, 90):
                yield fake[start : start + 90], np.zeros(len(fake[start : start + 90]), int)

        return evaluate_quality(
            MeasuredImages(batches, COUNT, False, "fakes", "fakes", list),
            dataclasses.replace(opened, peers=peers, call=call),
            real,
            real_name="train",
            dataset="x",
            directory=tmp_path / folder,
            statistics_directory=tmp_path / folder / "real",
            name="x",
            batch_size=90,
        )

    found = []
    for folder in ("one", "two"):
        for _ in range(2):
            sizes.clear()
            count = 1 if folder == "one" else 2
            together(count, lambda peers, folder=folder: measured(peers, f"{folder}{peers.index}"))
        found.append(json.loads((tmp_path / f"{folder}0" / "x.json").read_text())["values"])
    assert found[0] == found[1] and len(found[0]) > 3
    # The second time features of real images are stored: 50 + 40 and 13 generated ones.
    assert sizes == {0: [50, 13], 1: [40]}
    assert not (tmp_path / "two1").exists()
