"""robgan-tf prepare folder; preparations that are killed; what is skipped."""

import functools
import os
import signal

import numpy as np
import pytest
from PIL import Image

from robgan_tf.data import load_image_data
from robgan_tf.data.preparation import prepare as preparing
from robgan_tf.data.preparation import shards
from robgan_tf.data.preparation.class_folders import plan_of_folders
from robgan_tf.data.preparation.metadata import Identity
from robgan_tf.data.preparation.picture import StoredForm, stored_picture, stored_side
from tests.data.helpers import user_error
from tests.data.preparation import sources
from tests.in_process import run

FORM = StoredForm(16, 3, "jpeg")
IDENTITY = Identity("pets", "14", "Two classes.")
COUNTS = {"cat": 5, "dog": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven images of train and as many of test."""
    source = tmp_path_factory.mktemp("folder")
    sources.write_folders(source, COUNTS)
    return source


@pytest.fixture
def small_files(monkeypatch):
    """Record files of four images: three a split."""
    monkeypatch.setattr(shards, "IMAGES_IN_FILE", 4)


def make(folder, data_dir):
    return preparing.prepare(plan_of_folders(folder), IDENTITY, FORM, str(data_dir))


def contents(data_dir):
    """Bytes of every file, by name, that say nothing of the time or place."""
    root = data_dir / "pets" / "14" / "1.0.0"
    found = {
        path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    return {name: data for name, data in found.items() if name.suffix != ".npz"}


def test_stored_sides_are_rounded_up_and_smaller_crops_are_not_enlarged():
    assert [stored_side(x) for x in (64, 128, 20)] == [74, 148, 23]
    # The smallest crop has 0.8 of the area.
    assert all(0.8**0.5 * stored_side(x) >= x for x in range(4, 300))


def test_images_are_made_smaller_and_never_larger():
    large = stored_picture(sources.jpeg(sources.photo(0, 300, 150)), FORM)
    small = stored_picture(sources.jpeg(sources.photo(0, 30, 15)), FORM)
    sizes = [Image.open(__import__("io").BytesIO(x.encoded)).size for x in (large, small)]
    assert sizes == [(32, 16), (30, 15)] and (large.is_small, small.is_small) == (False, True)


def test_a_folder_of_one_s_own(folder, tmp_path):
    ended = run(
        "prepare", "folder", f"--source={folder}", f"--data_dir={tmp_path}", "--name=my_pets",
        "--resolution=14", "--encoding=png",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "  images     11 train, 11 test" in ended.stdout
    assert "data.dataset = 'my_pets/14', data.num_classes = 2" in ended.stdout
    data = load_image_data(
        "my_pets/14", resolution=14, channels=3, num_classes=2, data_dir=str(tmp_path)
    )
    assert data.class_names == ("cat", "dog")
    assert sorted(data.train.ids) == sorted(
        f"train/{name}/{k}.jpg" for name, count in COUNTS.items() for k in range(count)
    )
    labels = dict(zip(data.train.ids, data.train.labels, strict=True))
    assert {label for name, label in labels.items() if "/dog/" in name} == {1}
    # The classes are mixed, so that the first images are not of one.
    assert (
        np.count_nonzero(np.diff(data.train.labels)) >= 1 and len(set(data.train.labels[:6])) == 2
    )


@pytest.mark.parametrize("name", ["My_Pets", "pets-1", "a__b", "1st"])
def test_names_that_tensorflow_datasets_does_not_take(folder, tmp_path, name):
    ended = run(
        "prepare", "folder", f"--source={folder}", f"--data_dir={tmp_path}", f"--name={name}"
    )
    assert ended.returncode == 2 and "is called by small letters" in ended.stderr


def test_everything_that_is_left_out_is_listed_with_its_reason(tmp_path):
    source = tmp_path / "source"
    sources.write_folders(source, {"cat": 2, "dog": 2})
    (source / "train" / "cat" / "holiday").mkdir()
    (source / "train" / "cat" / "IMG_7.heic").write_bytes(b"heic")
    (source / "train" / "dog" / "notes.txt").write_text("notes")
    (source / "train" / "dog" / "broken.jpg").write_bytes(sources.jpeg(sources.photo(0))[:300])
    (source / "train" / "beside.png").write_bytes(b"png")
    done = make(source, tmp_path / "data")
    table = (done.folder / "skipped.tsv").read_text().splitlines()
    reasons = {
        line.split("\t")[0].removeprefix(f"{source}/"): line.split("\t")[1] for line in table
    }
    for name, reason in (
        ("train/cat/holiday", "folders within class folders"),
        ("train/cat/IMG_7.heic", "images of formats that are not read"),
        ("train/dog/notes.txt", "files that are no images"),
        ("train/dog/broken.jpg", "OSError"),
        ("train/beside.png", "images beside the class folders"),
    ):
        assert reasons[name].startswith(reason)
    assert len(table) == 6 and done.images == {"train": 4, "test": 4}


def test_folders_that_cannot_be_prepared(tmp_path):
    with user_error("is no folder"):
        plan_of_folders(tmp_path / "nowhere")
    sources.write_folders(tmp_path / "a", {"cat": 1}, splits=("test",))
    with user_error("has no split 'train' .it holds test"):
        plan_of_folders(tmp_path / "a")
    sources.write_folders(tmp_path / "b", {"cat": 1, "dog": 0})
    with user_error("train/dog has no image files: remove it or add images"):
        plan_of_folders(tmp_path / "b")
    sources.write_folders(tmp_path / "c", {"cat": 1}, splits=("train",))
    sources.write_folders(tmp_path / "c", {"cow": 1}, splits=("test",))
    with user_error("1 class folders that .*/train lacks, first 'cow'"):
        plan_of_folders(tmp_path / "c")


def killed_at(moment, module, name, folder, data_dir):
    """Prepares in a process that is killed within the given call of a function."""
    calls = iter(range(moment, -1, -1))
    real = getattr(module, name)

    @functools.wraps(real)
    def dies(*args, **kwargs):
        if not next(calls):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    child = os.fork()
    if not child:
        try:
            setattr(module, name, dies)
            make(folder, data_dir)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("example_of", 0),  # before the first record
        ("example_of", 6),  # within the second file
        ("flush_to_disk", 2),  # the second file is written, and has no name
        ("write_atomically", 3),  # it is to be said what the fourth holds
        ("flush_to_disk", 11),  # the last file has its name
    ],
)
def test_killed_at_any_moment_it_goes_on(folder, tmp_path, small_files, name, moment):
    assert killed_at(moment, shards, name, folder, tmp_path / "killed") == -signal.SIGKILL
    unfinished = tmp_path / "killed" / "pets" / "14" / "1.0.0.unfinished"
    there = {path: path.stat().st_mtime_ns for path in unfinished.glob("pets-*-of-*[0-9]")}
    # Nothing that looks like a data set is there.
    assert not (tmp_path / "killed" / "pets" / "14" / "1.0.0").exists()
    assert len(there) == {0: 0, 6: 1, 2: 1, 3: 3, 11: 6}[moment]
    done, whole = make(folder, tmp_path / "killed"), make(folder, tmp_path / "whole")
    assert done.images == whole.images == {"train": 11, "test": 11}
    for path, written in there.items():
        assert (done.folder / path.name).stat().st_mtime_ns == written, "made once"
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert not unfinished.exists()


class Killed(BaseException):
    """As if the process had ended."""


@pytest.mark.parametrize(
    "name", ["write_metadata", "index_of_split", "_write_record", "_take_place", "flush_to_disk"]
)
def test_ended_among_the_last_steps_it_goes_on(folder, tmp_path, monkeypatch, name):
    def ends(*args):
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(preparing, name, ends)
        make(folder, tmp_path)
    assert not (tmp_path / "pets" / "14" / "1.0.0").exists()
    assert make(folder, tmp_path).images == {"train": 11, "test": 11}


def test_a_record_file_of_which_a_part_was_lost_is_made_anew(folder, tmp_path, small_files):
    killed_at(11, shards, "flush_to_disk", folder, tmp_path / "a")
    unfinished = tmp_path / "a" / "pets" / "14" / "1.0.0.unfinished"
    path = unfinished / "pets-train.tfrecord-00001-of-00003"
    path.write_bytes(path.read_bytes()[:-7])
    make(folder, tmp_path / "a")
    make(folder, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_what_was_begun_of_other_images_is_kept(folder, tmp_path, small_files):
    killed_at(6, shards, "example_of", folder, tmp_path / "data")
    other = tmp_path / "other"
    sources.write_folders(other, {"cat": 3, "dog": 3})
    with user_error("unfinished holds the beginning of a preparation of other images"):
        make(other, tmp_path / "data")
    assert make(folder, tmp_path / "data").images["train"] == 11


def test_what_becomes_unreadable_is_named_and_refused(folder, tmp_path, monkeypatch):
    plan = plan_of_folders(folder)
    complete = {"train": 11, "test": 11}
    broken = functools.partial(preparing.prepare, plan, IDENTITY, FORM, str(tmp_path), complete)
    real = shards.stored_picture
    victim = plan.splits["train"][3]

    def reads(data, form):
        return real(b"" if data == victim.read() else data, form)

    monkeypatch.setattr(shards, "stored_picture", reads)
    with user_error(
        f"not complete: 10 of 11 images in train; unreadable: {victim.path} .*--partial"
    ):
        broken()
    monkeypatch.setattr(shards, "stored_picture", real)
    # It was mended, and is read now.
    assert broken().images == complete
