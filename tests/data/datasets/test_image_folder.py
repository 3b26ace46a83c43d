"""Tests of the image-folder source."""

import logging
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robgan_tf.data import evaluation_batches, load_image_data, training_batches
from robgan_tf.data.datasets.image_folder import load_image_folder
from tests.data.helpers import make_folder, save_image, user_error


def load(root, **changes):
    settings = {"resolution": 4, "channels": 3, "num_classes": 3, "data_dir": str(root)} | changes
    return load_image_data("image_folder", **settings)


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path, {"ant": 4, "bee": 5, "cat": 6})
    save_image(tmp_path / "test" / "cat" / "z.png", (90, 90, 90))
    save_image(tmp_path / "test" / "ant" / "z.png", (10, 10, 10))
    return tmp_path


def first_values(source, indices=None):
    indices = range(len(source)) if indices is None else indices
    return source.fetch(np.array(list(indices)))[:, 0, 0, 0].tolist()


def test_labels_and_stored_order(folder):
    data = load(folder)
    assert data.class_names == ("ant", "bee", "cat")
    assert data.train.labels.tolist() == [0] * 4 + [1] * 5 + [2] * 6
    assert first_values(data.train) == [0, 1, 2, 3, 20, 21, 22, 23, 24, 40, 41, 42, 43, 44, 45]
    assert first_values(data.train, [9, 0, 9]) == [40, 0, 40]


def test_labels_of_a_test_split_without_all_classes(folder):
    data = load(folder)
    assert data.test.labels.tolist() == [0, 2]
    assert first_values(data.test) == [10, 90]
    assert data.test.class_names == data.class_names


def test_the_digest_is_of_every_file(tmp_path):
    def digest_of(name, changed=None):
        root = make_folder(tmp_path / name, {"ant": 30, "bee": 3})
        if changed:
            save_image(root / "train" / changed, (1, 2, 3))
        return load_image_folder(root, "train", "train", resolution=4, channels=3)[
            0
        ].content_digest()

    same = [digest_of("first"), digest_of("second")]
    assert same[0] == same[1]
    # Another file of the same size, and one more.
    assert len({same[0], digest_of("third", "ant/7.png"), digest_of("fourth", "bee/x.png")}) == 3


def test_other_files_are_not_images(folder):
    (folder / "train" / "ant" / "notes.txt").write_text("x")
    (folder / "train" / "ant" / ".hidden.png").write_text("x")
    (folder / "train" / "README.md").write_text("x")
    assert len(load(folder).train) == 15


def test_what_is_skipped_is_told_once_by_reason(folder, caplog):
    ant = folder / "train" / "ant"
    for name in ("a.heic", "b.HEIC", "c.tif", "notes.txt", ".hidden.heic"):
        (ant / name).write_text("x")
    save_image(ant / "deeper" / "x.png")
    save_image(folder / "test" / "outside.png")
    frames = [Image.new("RGB", (4, 4), (value, value, value)) for value in (5, 200)]
    for name in ("moving.gif", "moving.webp"):
        frames[0].save(ant / name, save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(ant / "still.gif")
    with caplog.at_level(logging.WARNING, "absl"):
        data = load(folder)
    assert len(data.train) == 15 + 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == (
        f"Of {folder} these are skipped: images of formats that are not read, which are JPEG, PNG, "
        f"GIF, BMP and WebP: 3 (2 .heic, 1 .tif; first {ant / 'a.heic'}); folders within class "
        f"folders, whose images would have to be moved up: 1 (first {ant / 'deeper'}); files that "
        f"are no images: 1 (1 .txt; first {ant / 'notes.txt'}); further frames of animations, of "
        f"which the first is read: 2 (1 .gif, 1 .webp; first {ant / 'moving.gif'}); images beside "
        f"the class folders, in none of them: 1 (1 .png; first {folder / 'test' / 'outside.png'})."
    )


def test_a_class_of_other_formats_alone_says_so(folder):
    (folder / "train" / "dog").mkdir()
    (folder / "train" / "dog" / "a.tiff").write_text("x")
    with user_error(
        "class folder .*dog has no image files.*; it has images of formats that are not read"
    ):
        load(folder, num_classes=4)


def test_a_run_of_before_reads_every_format_of_pillow(folder):
    save_image(folder / "train" / "ant" / "4.tiff", (4, 4, 4))
    assert first_values(load(folder, reading="pillow").train)[:6] == [0, 1, 2, 3, 4, 20]
    assert first_values(load(folder, reading="pillow").train.subset([4])) == [4]
    assert first_values(load(folder).train)[:6] == [0, 1, 2, 3, 20, 21]


def test_boxes_crop_before_the_resize(tmp_path):
    picture = make_folder(tmp_path, {"a": 1}) / "train" / "a" / "0.png"
    pixels = np.zeros([8, 8, 3], np.uint8)
    pixels[:4, 4:] = 200
    Image.fromarray(pixels).save(picture)
    source, _ = load_image_folder(tmp_path, "train", "train", resolution=4, channels=3)
    assert source.fetch([0], [[0, 0.5, 0.5, 1]]).min() == 200
    assert source.fetch([0], [[0.5, 0, 1, 0.5]]).max() == 0


def corrupt(path):
    path.write_bytes(path.read_bytes()[:40])
    return str(path)


def test_corrupt_file_is_named_counted_and_replaced(folder, caplog):
    bad = [corrupt(folder / "train" / "bee" / name) for name in ("1.png", "2.png", "4.png")]
    data = load(folder)
    with caplog.at_level(logging.WARNING, "absl"):
        # 1 and 2 are replaced by 3; 4 is the last of its class and is replaced by 0.
        for _ in range(2):
            assert first_values(data.train, range(4, 9)) == [20, 23, 23, 23, 20]
    assert sorted(data.train.corrupt_files) == bad
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3
    for path, message in zip(bad, sorted(messages), strict=True):
        assert path in message and data.train.corrupt_files[path] in message
        assert "\n" not in message
    assert sorted(message[-2] for message in messages) == ["1", "2", "3"]
    assert first_values(load(folder).train, [8, 6, 5]) == [20, 23, 23]  # in any order


def test_two_threads_that_meet_one_corrupt_file_count_it_once(folder, caplog):
    source = load(folder).train
    with caplog.at_level(logging.WARNING, "absl"):
        for _ in range(2):
            source._record_corrupt("a.png", OSError("truncated\nfile"))
    assert source.corrupt_files == {"a.png": "OSError: truncated file"}
    assert len(caplog.records) == 1


def test_corrupt_file_is_never_replaced_from_another_subset(folder):
    corrupt(folder / "train" / "ant" / "1.png")
    subset = load(folder).train.subset([1, 3, 4])
    assert first_values(subset) == [3, 3, 20]


def test_the_only_file_chosen_of_a_class_is_replaced_by_another_of_the_class(folder):
    corrupt(folder / "train" / "bee" / "3.png")
    source = load(folder).train
    chosen = source.evenly_spaced(3)
    assert chosen.labels.tolist() == [0, 1, 2]
    assert first_values(chosen) == [0, 24, 45]
    chosen.check_every_class_is_readable()
    for name in ("0.png", "1.png", "2.png", "4.png"):
        corrupt(folder / "train" / "bee" / name)
    with user_error("no image of class 'bee' can be read, 5 tried"):
        load(folder)


def test_class_without_readable_image(folder):
    for name in ("0.png", "1.png", "2.png", "3.png"):
        last = corrupt(folder / "train" / "ant" / name)
    with user_error(f"no image of class 'ant' can be read, 4 tried, .*{last[:-5]}"):
        load(folder)


def test_test_class_without_readable_image(folder):
    corrupt(folder / "test" / "cat" / "z.png")
    data = load(folder)
    with user_error("no image of class 'cat' can be read, 1 tried, .*z.png"):
        list(evaluation_batches(data.test, 2))


def test_training_batches_from_files(folder):
    corrupt(folder / "train" / "bee" / "1.png")
    settings = {"batch_size": 5, "updates_per_step": 3, "seed": 1, "dequantize": False}
    for augmentation in ("none", "area_crop_flip"):
        data = load(folder, augmentation=augmentation)
        dataset = training_batches(data.train, augmentation=augmentation, **settings)
        assert dataset.element_spec["images"] == tf.TensorSpec([3, 5, 4, 4, 3], tf.float32)
        first, second = dataset.take(2)
        values = np.round((first["images"].numpy()[..., 0, 0, 0].ravel() + 1) * 127.5)
        # One epoch: every image once, the corrupt 21 replaced by 22.
        assert sorted(values) == [0, 1, 2, 3, 20, 22, 22, 23, 24, 40, 41, 42, 43, 44, 45]
        np.testing.assert_array_equal(first["labels"].numpy().ravel(), values // 20)
        resumed = next(
            iter(training_batches(data.train, start_step=1, augmentation=augmentation, **settings))
        )
        np.testing.assert_array_equal(resumed["images"], second["images"])


def test_validation_and_subset(folder):
    data = load(folder, validation_examples=3, train_examples=6)
    assert data.validation.labels.tolist() == [0, 1, 2]
    assert np.bincount(data.train.labels).tolist() == [2, 2, 2]
    assert not set(first_values(data.train)) & set(first_values(data.validation))
    other = load(folder, validation_examples=3)
    assert first_values(other.validation) == first_values(data.validation)
    assert set(first_values(data.train)) < set(first_values(other.train))


def test_wrong_class_count(folder):
    with user_error("has 3 classes, but data.num_classes is 5: set data.num_classes to 3"):
        load(folder, num_classes=5)


def test_folder_mistakes(folder):
    with user_error("no split folder 'val': expected <data_dir>/<split>/<class>"):
        load(folder, test_split="val")
    with user_error("no split folder 'train'"):
        load(folder / "nowhere")
    with user_error("pass --data_dir"):
        load_image_data("image_folder", resolution=4, channels=3, num_classes=3)
    with user_error("images of 2 channels: set data.channels to 3"):
        load(folder, channels=2)


def test_test_class_that_train_lacks(folder):
    save_image(folder / "test" / "dog" / "a.png")
    with user_error("1 class folders that the train split .* lacks, first 'dog'"):
        load(folder)


def test_empty_folders(folder):
    (folder / "train" / "dog").mkdir()
    with user_error("class folder .*dog has no image files"):
        load(folder, num_classes=4)
    (folder / "val").mkdir()
    with user_error("split folder .*val has no class folders"):
        load(folder, test_split="val")


def test_imagenet_sample_labels(real_data):
    root = real_data / "imagenet143_sample"
    rows = [line.split("\t") for line in (root / "classes.txt").read_text().splitlines()]
    data = load(root, resolution=16, num_classes=143, test_split="val")
    assert data.class_names == tuple(wnid for _, _, wnid, _ in rows)
    label_of = {wnid: int(label) for label, _, wnid, _ in rows}
    for source, split, count in ((data.train, "train", 1583), (data.test, "val", 240)):
        files = sorted((root / split).glob("*/*.jpg"))
        assert len(source) == len(files) == count
        assert source.labels.tolist() == [label_of[file.parent.name] for file in files]
    assert data.test.fetch(range(64)).std() > 30
    assert data.test.corrupt_files == {}


def listed(root):
    train, _ = load_image_folder(root, "train", "train", resolution=4, channels=3)
    return [path.removeprefix(f"{root}/train/") for path in train.locations]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to(path.name), "links that lead nowhere, pipes and devices"),
        (lambda path: path.symlink_to("/nowhere/x.png"), "links that lead nowhere"),
        (lambda path: path.symlink_to("/dev/zero"), "links that lead nowhere, pipes and devices"),
        (os.mkfifo, "links that lead nowhere, pipes and devices"),
        (lambda path: path.symlink_to(".."), "folders within class folders"),
        (lambda path: save_image(path.with_name("\udcff.png")), "names are not in UTF-8"),
    ],
)
def test_what_is_no_image_file_is_counted_and_not_read(tmp_path, caplog, make, reason):
    root = make_folder(tmp_path, {"ant": 1, "bee": 1})
    make(root / "train" / "bee" / "a.png")
    with caplog.at_level(logging.WARNING):
        assert listed(root) == ["ant/0.png", "bee/0.png"]
    # Once as the training split and once as the test split.
    assert reason in caplog.text and ": 2 (2 .png; first" in caplog.text


def test_a_class_folder_that_leads_to_itself_is_none(tmp_path, caplog):
    root = make_folder(tmp_path, {"ant": 1, "bee": 1})
    (root / "train" / "loop").symlink_to("loop")
    with caplog.at_level(logging.WARNING):
        assert listed(root) == ["ant/0.png", "bee/0.png"]
    assert "links that lead nowhere" in caplog.text


@pytest.mark.parametrize("name", ["\udcff\udcfe", "x\ny"])
def test_a_class_name_that_no_record_could_hold(tmp_path, name):
    root = make_folder(tmp_path, {"ant": 1, name: 1})
    with user_error(r"the class folder .* has a name that is not one line of UTF-8: rename it"):
        listed(root)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    root = make_folder(tmp_path, {"ant": 1, "bee": 1})

    def scandir(folder, scan=os.scandir):
        if str(folder).endswith("bee"):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with user_error(r"the folder .*/train/bee cannot be read: Permission denied"):
        listed(root)


def test_a_file_that_goes_or_changes_after_listing_never_gets_another_label(folder):
    data = load(folder)
    bees = [path for path in data.train.locations if "/bee/" in path]
    pathlib.Path(bees[0]).unlink()
    pathlib.Path(bees[1]).write_bytes(b"no image any more")
    pathlib.Path(bees[2]).unlink()
    pathlib.Path(bees[2]).mkdir()
    values = first_values(data.train)
    assert values[:4] == [0, 1, 2, 3] and values[4:9] == [23, 23, 23, 23, 24]
    assert set(data.train.corrupt_files) == set(bees[:3])
    assert "there is no file" in data.train.corrupt_files[bees[0]]
    # A file that was replaced by a whole one is read as it is now, under its folder's label.
    save_image(pathlib.Path(bees[3]), (99, 99, 99))
    assert first_values(data.train, [7]) == [99] and data.train.labels[7] == 1
