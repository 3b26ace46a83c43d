"""Images read from record files: the same as from memory, found without reading what is before."""

import io
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robgan_tf.data import load_image_data, training_batches
from robgan_tf.data.augmentation import area_boxes
from robgan_tf.data.datasets.tfds import TfdsClassification
from robgan_tf.data.preparation.class_folders import plan_of_folders
from robgan_tf.data.preparation.metadata import Identity
from robgan_tf.data.preparation.picture import StoredForm
from robgan_tf.data.preparation.prepare import prepare
from robgan_tf.data.records import RecordSource
from robgan_tf.data.sources import InMemorySource, crop_and_resize
from robgan_tf.errors import machine_fault
from tests.data.helpers import user_error
from tests.data.preparation import sources

SIDE, RESOLUTION = 20, 17


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder of the data set pets/17: 30 images of 24x20 pixels of train, 10 of test."""
    return prepared_as("jpeg", tmp_path_factory.mktemp("pets"))


def prepared_as(encoding, folder):
    sources.write_folders(folder / "images", {"cat": 18, "dog": 12}, splits=("train",))
    sources.write_folders(folder / "images", {"cat": 6, "dog": 4}, splits=("test",))
    form = StoredForm(SIDE, 3, encoding)
    prepare(plan_of_folders(folder / "images"), Identity("pets", "17", ""), form, str(folder))
    return folder


def load(data_dir, kept_in="files", **changes):
    settings = {"resolution": RESOLUTION, "channels": 3, "num_classes": 2} | changes
    return load_image_data("pets/17", data_dir=str(data_dir), kept_in=kept_in, **settings)


def everything(source):
    return source.fetch(np.arange(len(source)))


def test_whole_images_are_those_of_memory(prepared):
    files, memory = (load(prepared, x, validation_examples=6) for x in ("files", "memory"))
    assert isinstance(files.train, RecordSource) and isinstance(memory.train, InMemorySource)
    for split in ("train", "validation", "test"):
        ours, theirs = getattr(files, split), getattr(memory, split)
        np.testing.assert_array_equal(everything(ours), everything(theirs))
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert ours.ids.tolist() == theirs.ids.tolist()
    whole, part = load(prepared).train, load(prepared, train_split="train[20%:60%]").train
    assert part.ids.tolist() == whole.ids[6:18].tolist()
    np.testing.assert_array_equal(everything(part), everything(whole)[6:18])


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_crops_are_cut_out_of_the_stored_pixels(tmp_path, encoding):
    """Against Pillow's decoder and a crop of the whole square."""
    source = load(prepared_as(encoding, tmp_path), augmentation="area_crop_flip").train
    boxes = area_boxes(tf.constant([3, 4]), len(source))
    found = source.fetch(np.arange(len(source)), boxes.numpy())
    for place in range(len(source)):
        record = source._read(np.array([place]))[0][0]
        example = tf.train.Example.FromString(record).features.feature["image"]
        with Image.open(io.BytesIO(example.bytes_list.value[0])) as image:
            assert min(image.size) == SIDE
            left = (image.width - SIDE) // 2
            square = np.asarray(image)[:, left : left + SIDE]
        expected = crop_and_resize(square[None], boxes[place : place + 1], RESOLUTION)[0]
        # Two builds of libjpeg may round a level apart.
        assert np.abs(found[place].astype(int) - expected.numpy()).max() <= 2


def test_larger_images_are_cropped_as_in_memory(prepared):
    """Of 20 pixels for 8: a crop has to be made smaller with a low-pass filter."""
    files, memory = (
        load(prepared, x, resolution=8, augmentation="area_crop_flip").train
        for x in ("files", "memory")
    )
    boxes = area_boxes(tf.constant([3, 4]), 30).numpy()
    np.testing.assert_array_equal(
        files.fetch(np.arange(30), boxes), memory.fetch(np.arange(30), boxes)
    )


def test_a_run_goes_on_within_an_epoch_without_reading_what_was_before(prepared, monkeypatch):
    settings = {"batch_size": 4, "updates_per_step": 2, "seed": 5, "augmentation": "area_crop_flip"}
    source = load(prepared, augmentation="area_crop_flip").train
    whole = [step["images"].numpy() for step in training_batches(source, **settings).take(5)]
    np.testing.assert_array_equal(
        whole, [step["images"].numpy() for step in training_batches(source, **settings).take(5)]
    )
    seen = []
    read = RecordSource._read

    def counting(self, positions):
        seen.append(positions)
        return read(self, positions)

    monkeypatch.setattr(RecordSource, "_read", counting)
    again = load(prepared, augmentation="area_crop_flip").train
    (step,) = training_batches(again, start_step=2, **settings).take(1)
    np.testing.assert_array_equal(step["images"], whole[2])
    # At most what is prepared ahead.
    assert 1 <= len(seen) <= 6 and all(len(positions) == 8 for positions in seen)


def test_a_second_start_reads_no_record_files(prepared, monkeypatch):
    first = load(prepared).train
    with monkeypatch.context() as patched:
        patched.setattr(tf.data, "TFRecordDataset", None)
        second = load(prepared).train
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.content_digest() == second.content_digest()
    assert first.content_digest() != first.subset(np.arange(3)).content_digest()


def test_equal_images_are_found_between_splits(prepared):
    data = load(prepared, test_split="train[:20%]")
    assert data.test.count_in(data.train) == len(data.test) == 6
    assert load(prepared).test.count_in(data.train) == 0


def test_by_itself_what_is_large_is_read_from_files(prepared):
    def opened(reading="served"):
        settings = {"resolution": RESOLUTION, "channels": 3, "reading": reading}
        return TfdsClassification("pets/17", str(prepared), **settings)

    most = 4 * 2**30
    asked = [("auto", most), ("auto", most + 1), ("memory", 10**12), ("files", 1)]
    assert [opened().reads_files(*each) for each in asked] == [False, True, False, True]
    assert not opened("pillow").reads_files("auto", most + 1)
    with user_error("data.kept_in = 'files': data.reading = 'pillow' is of images in memory"):
        load(prepared, reading="pillow")


@pytest.fixture
def damaged(prepared, tmp_path):
    """A copy of the data, and its record file of training."""
    shutil.copytree(prepared / "pets", tmp_path / "pets")
    return tmp_path, tmp_path / "pets/17/1.0.0/pets-train.tfrecord-00000-of-00001"


def test_a_record_that_was_changed_is_not_trained_on(damaged):
    data_dir, path = damaged
    content = bytearray(path.read_bytes())
    before = load(data_dir).train
    content[before._index.offsets[7] + before._index.sizes[7] // 2] ^= 1  # within its image
    path.write_bytes(content)
    source = load(data_dir).train
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        everything(source)
    assert machine_fault(raised.value).startswith("a record of the data is damaged")


def test_a_record_file_that_is_cut_while_it_is_read_from(damaged):
    data_dir, path = damaged
    source = load(data_dir).train
    path.write_bytes(path.read_bytes()[:100])
    with user_error("a record of the data is damaged"):
        everything(source)
    with pytest.raises(tf.errors.OpError) as raised:
        list(training_batches(source, batch_size=2, updates_per_step=1, seed=0).take(1))
    assert machine_fault(raised.value).startswith("a record of the data is damaged")


def test_a_record_file_that_is_not_whole_is_refused(damaged):
    data_dir, path = damaged
    path.write_bytes(path.read_bytes()[:-9])
    with user_error("pets-train.*is damaged.*prepare the data set again"):
        load(data_dir)


def test_an_index_of_another_file_is_made_anew(damaged):
    data_dir, path = damaged
    kept = path.parent / "record_index" / f"{path.name}.npz"
    before = load(data_dir).train
    kept.write_bytes(b"nothing")
    np.testing.assert_array_equal(load(data_dir).train.labels, before.labels)
    assert len(kept.read_bytes()) > 100
