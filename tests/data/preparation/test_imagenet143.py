"""robgan-tf prepare imagenet143, on tar files as ILSVRC's and on prepared data sets."""

import io
import json
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageOps

from robgan_tf.data import load_image_data
from robgan_tf.data.preparation.imagenet143 import class_names, classes
from tests.data.preparation import sources
from tests.in_process import run

FOUND = 142 + 4  # images of training, the truncated one among them


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ilsvrc")
    sources.write_tars(folder)
    return folder


@pytest.fixture(scope="module")
def prepared(tars, tmp_path_factory):
    """The data folder, and how the command ended."""
    data_dir = tmp_path_factory.mktemp("data")
    return data_dir, prepare(tars, data_dir, "--partial")


def prepare(source, data_dir, *more):
    return run("prepare", "imagenet143", f"--source={source}", f"--data_dir={data_dir}", *more)


def folder_of(data_dir):
    return data_dir / "imagenet143" / "64" / "1.0.0"


def examples_of(data_dir, split):
    """Examples by id, as whoever has TensorFlow Datasets alone reads them."""
    builder = tfds.builder_from_directory(str(folder_of(data_dir)))
    found = builder.as_dataset(split=split).as_numpy_iterator()
    return {example["id"].decode(): example for example in found}


def test_the_classes_are_those_of_the_indices_151_to_293():
    labels = tfds.core.tfds_path("datasets/imagenet2012/labels.txt").read_text().split()
    assert [each.synset for each in classes()] == labels[151:294]
    assert [each.number for each in classes()] == list(range(151, 294))
    assert [each.label for each in classes()] == list(range(143))
    assert len(set(class_names())) == 143


def test_less_than_complete_is_said_and_refused(tars, tmp_path):
    ended = prepare(tars, tmp_path / "data")
    assert ended.returncode == 2
    assert ended.stderr == (
        f"error: not complete: {FOUND} of 180373 images in train, 142 of 143 classes (missing: "
        "cheetah); 3 of 7150 images in val, 3 of 143 classes (missing: Chihuahua, Japanese "
        "spaniel, Maltese dog, Pekinese, Shih-Tzu, ...). --partial prepares what there is\n"
    )
    assert not (tmp_path / "data").exists()


def test_what_is_said_and_counted_of_odd_files(prepared, tars):
    data_dir, ended = prepared
    assert ended.returncode == 0, ended.stderr
    where = f"{tars}/ILSVRC2012_img_train.tar: {sources.TRUNCATED}"
    for line in (
        f"Source     files below {tars}: {FOUND} images of train, 3 images of val",
        "Stored     shorter side 74 px, jpeg, RGB",
        "Not complete: 146 of 180373 images in train, 142 of 143 classes (missing: cheetah)",
        "Not complete: 145 of 180373 images in train",
        f"  images     {FOUND - 1} train, 3 val",
        f"  unreadable {where}: OSError: image file is truncated",
        "  small      145 images are smaller and stored as they are",
    ):
        assert line in ended.stdout, ended.stdout
    record = json.loads((folder_of(data_dir) / "preparation.json").read_text())
    assert record["complete"] is False and record["images"] == {"train": FOUND - 1, "val": 3}
    assert [entry[0] for entry in record["unreadable"]] == [where]
    rows = (folder_of(data_dir) / "classes.tsv").read_text().splitlines()
    assert rows[0] == "label\tname\tfolder\ttrain images\tval images"
    assert rows[1] == f"0\tChihuahua\t{sources.SYNSETS[0]}\t4\t0" and rows[143].endswith("\t\t0\t0")


def test_odd_files_become_the_right_pixels(prepared):
    train = examples_of(prepared[0], "train")
    assert len(train) == FOUND - 1 and sources.TRUNCATED not in train
    special = sources.special_files()
    for name in (sources.CMYK, sources.PNG, sources.TURNED):
        assert train[name]["label"] == 0
        found = train[name]["image"]
        with Image.open(io.BytesIO(special[name])) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        shape = (92, 74, 3) if name == sources.TURNED else (74, 92, 3)
        assert found.shape == shape
        expected = np.asarray(upright.resize(shape[1::-1], Image.Resampling.BICUBIC), float)
        assert np.abs(found - expected).mean() < 2.5  # JPEG's share; another turn is 30 or more.


def test_validation_labels_are_those_of_the_numbers(prepared):
    val = examples_of(prepared[0], "val")
    listed = tfds.core.tfds_path("datasets/imagenet2012/validation_labels.txt").read_text().split()
    assert len(val) == 3
    for number in sources.VAL_NUMBERS:
        label = val[f"ILSVRC2012_val_{number:08}"]["label"]
        assert sources.SYNSETS[label] == listed[number - 1]


def test_a_second_time_there_is_nothing_to_do(prepared, tars):
    ended = prepare(tars, prepared[0], "--partial")
    assert ended.returncode == 0 and "there before: nothing was to be done" in ended.stdout
    other = prepare(tars, prepared[0], "--partial", "--encoding=png")
    assert other.returncode == 2 and "was prepared of other images or in another" in other.stderr


def test_it_is_loaded_by_name_and_trained_on(prepared):
    examples = tfds.load("imagenet143/64", data_dir=str(prepared[0]), split="val", download=False)
    assert len(examples) == 3
    data = load_image_data(
        "imagenet143/64",
        resolution=64,
        channels=3,
        num_classes=143,
        data_dir=str(prepared[0]),
        test_split="val",
        kept_in="files",
    )
    assert data.class_names == class_names() and data.class_names[0] == "Chihuahua"
    assert len(data.train) == FOUND - 1 and sources.PNG in data.train.ids


def test_the_gin_file_reads_it(prepared):
    ended = run(
        "train", "--gin_file=gin/imagenet143_64.gin", f"--data_dir={prepared[0]}", "--dry_run",
        "--gin_param=data.validation_examples=0", "--gin_param=ResNetGenerator.base_width=2",
        "--gin_param=ResNetDiscriminator.base_width=2",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "145 training, 0 validation and 3 test images of 64x64x3 in 143 classes" in ended.stdout
    assert "kept_in = 'files'" in ended.stdout


@pytest.mark.parametrize("side", [64, 128])
def test_where_it_is_not_prepared_the_command_is_named(tmp_path, side):
    from tests.data.helpers import user_error

    name, command = f"imagenet143/{side}", f"prepare imagenet143 .* --resolution={side} makes it"
    with user_error(f"{name} is not prepared in .* robgan-tf {command}"):
        load_image_data(name, resolution=side, channels=3, num_classes=143, data_dir=str(tmp_path))


def test_a_tar_that_ends_too_early_is_refused(tars, tmp_path):
    whole = (tars / "ILSVRC2012_img_train.tar").read_bytes()
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(whole[: len(whole) // 2])
    ended = prepare(tmp_path, tmp_path / "data", "--partial")
    assert ended.returncode == 2 and "is no whole uncompressed tar file" in ended.stderr


def test_synset_tars_and_unpacked_images_are_found_too(tars, tmp_path):
    import tarfile

    (tmp_path / "val").mkdir()
    with tarfile.open(tars / "ILSVRC2012_img_train.tar") as tar:
        tar.extractall(tmp_path / "train", filter="data")
    with tarfile.open(tars / "ILSVRC2012_img_val.tar") as tar:
        tar.extractall(tmp_path / "val", filter="data")
    ended = prepare(tmp_path, tmp_path / "data")
    assert f"{FOUND} of 180373 images in train, 142 of 143 classes" in ended.stderr
    assert "3 of 7150 images in val" in ended.stderr


def test_nothing_of_it_is_one_line(tmp_path):
    ended = prepare(tmp_path, tmp_path / "data")
    assert ended.returncode == 2 and "holds none of the images; it should hold" in ended.stderr


def test_the_builder_of_tensorflow_datasets_makes_the_same(tmp_path):
    from robgan_tf.data.preparation.builder import Imagenet143

    source = tmp_path / "source"
    sources.write_folders(source, dict.fromkeys(sources.SYNSETS[5:7], 2), splits=("train", "val"))
    builder = Imagenet143(data_dir=tmp_path / "built", config="64")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(source))
    )
    assert prepare(source, tmp_path / "data", "--partial").returncode == 0
    for split in ("train", "val"):
        built, ours = (examples_of(tmp_path / x, split) for x in ("built", "data"))
        assert built.keys() == ours.keys() and len(ours) == 4
        for name, example in ours.items():
            assert example["label"] == built[name]["label"] in (5, 6)
            np.testing.assert_array_equal(example["image"], built[name]["image"])


class ImagenetResized(tfds.core.GeneratorBasedBuilder):
    """Like imagenet_resized/64x64: synsets in an order of their own, PNG, no names of images."""

    VERSION = tfds.core.Version("0.1.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="64x64", description="64")]  # noqa: RUF012
    pkg_dir_path = None

    def _info(self):
        names = [*sources.SYNSETS[:3][::-1], "n01440764"]
        features = {
            "image": tfds.features.Image(shape=(64, 64, 3)),
            "label": tfds.features.ClassLabel(names=names),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(8), "validation": self._generate_examples(4)}

    def _generate_examples(self, count):
        for k in range(count):
            yield k, {"image": np.full([64, 64, 3], 60 * (k % 4), np.uint8), "label": k % 4}


def test_classes_of_a_prepared_data_set_are_found_by_synset(tmp_path):
    ImagenetResized(data_dir=tmp_path, config="64x64").download_and_prepare()
    ended = prepare(tmp_path, tmp_path / "data", "--partial", "--encoding=png")
    assert ended.returncode == 0, ended.stderr
    assert "8 images are smaller" not in ended.stdout and "  small      9 images" in ended.stdout
    train = examples_of(tmp_path / "data", "train").values()
    # Gray levels say which class it was there: 0, 60 and 120 for our 2, 1 and 0.
    assert sorted((x["label"], int(x["image"].mean())) for x in train) == [
        (0, 120), (0, 120), (1, 60), (1, 60), (2, 0), (2, 0),
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "data")
    large = prepare(tmp_path, tmp_path / "data", "--partial", "--resolution=128")
    assert large.returncode == 0 and "  small      9 images" in large.stdout
