"""What a run needs of its images is looked at before its first step."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from robgan_tf.config.finetune import FinetuneConfig
from robgan_tf.config.gin_files import read_config
from robgan_tf.data import ImageData
from robgan_tf.data.sources import InMemorySource
from robgan_tf.watching.measured_splits import check_images, measured_splits
from tests import in_process, tiny
from tests.data.helpers import make_folder, random_pixels, save_image, user_error
from tests.eager import eagerly

NO_GAP = ("gap.every = 0", "final_evaluation.images = 0")


def data(**labels):
    """Ten images a split with the label 1, or the one given."""
    sources = {
        name: InMemorySource(
            random_pixels(10, 4, 4, 1), np.full(10, labels.get(name, 1)), ["a", "b"], 4
        )
        for name in ("train", "validation", "test")
    }
    return ImageData(**sources, class_names=("a", "b"), description="")


def test_only_what_is_needed_has_to_be_labelled():
    check_images(tiny.config(), data())
    with user_error(
        "10 of 10 images have no label .they are marked -1., which training needs: choose another "
        "data.train_split, or train a GAN without classes"
    ):
        check_images(tiny.config(*NO_GAP), data(train=-1))
    with user_error("which training needs"):
        check_images(tiny.config("ResNetDiscriminator.head = 'projection'"), data(train=-1))
    check_images(tiny.config("ResNetDiscriminator.head = 'none'"), data(train=-1, test=-1))
    with user_error("which final_evaluation.images needs of the test images: .* bind final_eval"):
        check_images(tiny.config(), data(test=-1))
    with user_error("which gap.every needs of the test images: .* or bind gap.every = 0"):
        check_images(tiny.config("gap.every = 2", NO_GAP[1]), data(test=-1))
    check_images(tiny.config(*NO_GAP), data(test=-1))
    # Beyond the last step it is never measured.
    check_images(tiny.config("gap.every = 5", NO_GAP[1]), data(test=-1))
    assert measured_splits(tiny.config("gap.every = 2")) == ["test", "validation"]
    assert measured_splits(tiny.config("gap.every = 2", "ResNetDiscriminator.head = 'none'")) == []


def finetune_config(*bindings):
    of_joint = ("train.", "ResNetGenerator.", "gap.")
    data_bindings = [x for x in tiny.BINDINGS if not x.startswith(of_joint)]
    return read_config(FinetuneConfig, [], [*data_bindings, "finetune.steps = 4", *bindings])


def test_a_classifier_needs_labels():
    with user_error("which training needs: choose another data.train_split$"):
        check_images(finetune_config(*NO_GAP), data(train=-1))
    with user_error("which gap.every needs of the test images"):
        check_images(finetune_config("gap.every = 4"), data(test=-1))


@pytest.fixture
def train(tmp_path):
    """Runs the train command on class folders with few images."""
    gin_file = tmp_path / "tiny.gin"
    gin_file.write_text("\n".join(tiny.BINDINGS) + "\n")

    def train(*bindings, dataset="image_folder", dry=False):
        ended = in_process.run(
            "train", f"--gin_file={gin_file}", f"--run_dir={tmp_path / 'run'}",
            f"--data_dir={tmp_path / 'data'}", f"--gin_param=data.dataset='{dataset}'",
            "--gin_param=data.num_classes=2", "--gin_param=data.validation_examples=0",
            "--gin_param=quality.images=20", *(f"--gin_param={x}" for x in bindings),
            *(["--dry_run"] if dry else []),
        )  # fmt: skip
        assert not (tmp_path / "run" / "metrics.jsonl").exists() or ended.returncode == 0
        return ended

    return train


def test_a_test_class_without_a_readable_file_is_found_at_once(train, tmp_path):
    make_folder(tmp_path / "data", {"a": 8, "b": 8})
    save_image(tmp_path / "data" / "test" / "a" / "0.png")
    (tmp_path / "data" / "test" / "b").mkdir(parents=True)
    (tmp_path / "data" / "test" / "b" / "0.png").write_bytes(b"nothing")
    # Not at the first measurement: a dry run says so already.
    ended = train("gap.every=4", "quality.every=0", dry=True)
    assert ended.returncode == 2
    assert "error: no image of class 'b' can be read, 1 tried, among them " in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_too_few_images_for_a_measure_of_quality_are_found_at_once(train, tmp_path):
    for split in ("train", "test"):
        make_folder(tmp_path / "data", {"a": 2, "b": 1}, split)
    ended = train("quality.every=4", "final_evaluation.images=0")
    assert ended.returncode == 2
    assert "Training " not in ended.stdout
    assert ended.stderr == (
        "error: image quality cannot be measured on 3 training and 20 generated images: 3 images "
        "are too few for density and coverage with 5 neighbours; bind quality.every = 0 to do "
        "without\n"
    )


class Unlabelled(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Images that TensorFlow Datasets gives no label."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(16, 16, 1)),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(name) for name in ("train", "test")}

    def _generate_examples(self, split):
        for number, image in enumerate(random_pixels(30, 16, 16, 1, seed=len(split))):
            yield number, {"image": image, "label": -1}


def test_an_unlabelled_split_trains_a_gan_without_classes_only(train, tmp_path):
    Unlabelled(data_dir=tmp_path / "data").download_and_prepare()
    refused = train(dataset="unlabelled", dry=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: 30 of 30 images have no label (they are marked -1)")
    with eagerly():
        trained = train(
            "ResNetDiscriminator.head='none'", "quality.every=4",
            "data.validation_examples=4", dataset="unlabelled",
        )  # fmt: skip
    assert trained.returncode == 0, trained.stderr


def test_training_says_what_it_is_also_measured_on(train, tmp_path):
    make_folder(tmp_path / "data", {"a": 8, "b": 8})
    ended = train("data.test_split='train'", "quality.every=0", "gap.every=4", dry=True)
    assert ended.returncode == 0, ended.stderr
    assert "warning: 16 of 16 test images are training images too" in ended.stdout
