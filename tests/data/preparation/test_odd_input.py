"""What people give to `prepare` by mistake: refused in one line, or prepared as it is."""

import io
import json
import tarfile
import warnings

import pytest
from PIL import Image

from robgan_tf.data import load_image_data
from robgan_tf.data.preparation import prepare as preparing
from robgan_tf.data.preparation import shards
from robgan_tf.data.preparation.class_folders import plan_of_folders
from robgan_tf.data.preparation.imagenet_sources import plan_of_imagenet
from robgan_tf.data.preparation.metadata import Identity
from robgan_tf.data.preparation.picture import StoredForm, stored_picture
from tests.data.helpers import user_error
from tests.data.preparation import sources
from tests.in_process import run

FORM = StoredForm(16, 3, "jpeg")
IDENTITY = Identity("pets", "14", "Two classes.")
UNFINISHED = "pets/14/1.0.0.unfinished"


@pytest.fixture
def source(tmp_path):
    """Two classes of three images."""
    sources.write_folders(tmp_path / "source", {"cat": 3, "dog": 3}, splits=("train",))
    return tmp_path / "source"


def make(source, data_dir):
    return preparing.prepare(plan_of_folders(source), IDENTITY, FORM, str(data_dir))


def command(source, data_dir):
    """`prepare folder`; its status and what it said on standard error."""
    ended = run("prepare", "folder", f"--source={source}", f"--data_dir={data_dir}", "--name=pets")
    return ended.returncode, ended.stderr


def begin(source, data_dir, monkeypatch):
    """Prepares all record files, and is stopped before there is a data set."""

    def stops(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(preparing, "_finish", stops)
        make(source, data_dir)


def pixels_of(prepared):
    """Mean levels of the stored images, by id."""
    import tensorflow_datasets as tfds

    examples = tfds.builder_from_directory(str(prepared.folder)).as_dataset(split="train")
    return {x["id"].decode(): x["image"].mean(axis=(0, 1)) for x in examples.as_numpy_iterator()}


def test_an_image_longer_than_a_jpeg_can_be_is_left_out_by_itself():
    file = io.BytesIO()
    Image.new("L", (70_000, 5)).save(file, "PNG")
    stored = stored_picture(file.getvalue(), FORM)
    assert stored.encoded is None and "70000 x 5 pixels" in stored.reason
    assert stored_picture(file.getvalue(), FORM._replace(encoding="png")).encoded is not None


def test_warnings_of_images_that_are_read_all_the_same_are_not_shown(source, tmp_path):
    cut = b"Exif\0\0II*\0\x08\0\0\0\5\0"  # Of five entries, none.
    sources.photo(0).save(source / "train" / "cat" / "cut.jpg", exif=cut)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert make(source, tmp_path / "data").images == {"train": 7}
    assert [str(x.message) for x in shown if "PIL" in x.filename] == []


def test_a_wrong_folder_of_many_folders_is_one_short_line(tmp_path):
    for number in range(40):
        (tmp_path / f"user_{number:02}" / "pictures").mkdir(parents=True)
    with user_error(r"no split 'train' .it holds user_00, .*user_04, \.\.\.\): expected"):
        plan_of_folders(tmp_path)


def test_a_class_of_which_no_image_can_be_read_is_named(source, tmp_path):
    for path in (source / "train" / "dog").iterdir():
        path.write_text("no image")
    status, said = command(source, tmp_path / "data")
    assert status == 2 and "no image of the class 'dog' in train can be read" in said
    assert f"{source}/train/dog/" in said and said.count("\n") == 1
    sources.photo(7).save(source / "train" / "dog" / "0.jpg")
    assert command(source, tmp_path / "data") == (0, "")


def test_what_is_prepared_is_not_put_into_what_it_is_prepared_of(source):
    for data_dir in (source, source / "data", source / "train"):
        status, said = command(source, data_dir)
        assert status == 2 and f"--data_dir={data_dir} is within --source={source}" in said
    assert sorted(x.name for x in source.rglob("*") if x.is_dir()) == ["cat", "dog", "train"]


def test_class_names_that_tensorflow_datasets_would_change(source):
    (source / "train" / "cat").rename(source / "train" / " cat")
    with user_error("class folder ' cat' in .*train begins or ends with a space"):
        plan_of_folders(source)


@pytest.mark.parametrize("split", ["train (copy)", "a+b", "all"])
def test_splits_that_tensorflow_datasets_cannot_name(source, split):
    sources.write_folders(source, {"cat": 1, "dog": 1}, splits=(split,))
    with user_error(f"holds the split .{split[0]}.* rename it"):
        plan_of_folders(source)


def test_other_images_of_the_same_names_are_not_taken_for_those(source, tmp_path):
    done = make(source, tmp_path / "data")
    for path in source.rglob("*.jpg"):
        Image.new("RGB", (40, 40), "red").save(path)
    with user_error("was prepared of other images"):
        make(source, tmp_path / "data")
    assert all(level.std() < 90 for level in pixels_of(done).values())


def test_images_that_changed_in_between_are_converted_again(source, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "IMAGES_IN_FILE", 3)
    begin(source, tmp_path / "data", monkeypatch)
    files = sorted((tmp_path / "data" / UNFINISHED).glob("pets-*-of-*[0-9]"))
    written = [path.stat().st_mtime_ns for path in files]
    changed = plan_of_folders(source).splits["train"][0]
    Image.new("RGB", (40, 40), "red").save(changed.path)
    done = make(source, tmp_path / "data")
    red, green, blue = pixels_of(done)[changed.key]
    assert red > 240 and green < 15 and blue < 15
    times = [(done.folder / path.name).stat().st_mtime_ns for path in files]
    assert times[0] != written[0] and times[1] == written[1], "the other file is kept"


@pytest.mark.parametrize("lacks", ["size", "labels", "unreadable", "small"])
def test_what_stands_beside_a_record_file_lacks_a_part(source, tmp_path, monkeypatch, lacks):
    begin(source, tmp_path / "data", monkeypatch)
    (path,) = (tmp_path / "data" / UNFINISHED).glob("*.outcome")
    stored = json.loads(path.read_text())
    del stored[lacks]
    path.write_text(json.dumps(stored))
    assert make(source, tmp_path / "data").images == {"train": 6}


def test_a_tar_with_a_damaged_heading_in_the_middle(tmp_path):
    content, first = sources.jpeg(sources.photo(0)), sources.SYNSETS[0]
    whole = bytearray(sources.tar_of({f"{first}_{k}.JPEG": content for k in range(3)}))
    second = 512 + -(-len(content) // 512) * 512
    for damaged in (
        whole[:second] + b"\xff" * 512 + whole[second + 512 :],
        whole[:second],
    ):
        (tmp_path / f"{first}.tar").write_bytes(damaged)
        with user_error(f"{first}.tar is no whole uncompressed tar file .ReadError: no end after"):
            plan_of_imagenet(tmp_path)


@pytest.mark.parametrize("content", ["{", '{"name": 3'])
def test_descriptions_of_data_sets_that_are_damaged(source, tmp_path, content):
    done = make(source, tmp_path / "imagenet2012")
    (done.folder / "dataset_info.json").write_text(content)
    with user_error("1.0.0 cannot be opened: ParseError"):
        plan_of_imagenet(done.folder)
    with user_error("cannot open the dataset 'pets/14': ParseError"):
        load_image_data(
            "pets/14", resolution=14, channels=3, num_classes=2,
            data_dir=str(tmp_path / "imagenet2012"),
        )  # fmt: skip
    (done.folder / "preparation.json").write_text(
        json.dumps({"plan": plan_of_folders(source).digest, "form": FORM})
    )
    with user_error("preparation.json is damaged .KeyError: 'unreadable'.: restore it"):
        make(source, tmp_path / "imagenet2012")


def test_a_damaged_record_file_is_named_with_what_to_do(source, tmp_path, monkeypatch):
    begin(source, tmp_path / "data", monkeypatch)
    path = tmp_path / "data" / UNFINISHED / "pets-train.tfrecord-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with user_error(f"{path} is damaged.*: remove that file, and the same command makes it anew"):
        make(source, tmp_path / "data")
    path.unlink()
    assert make(source, tmp_path / "data").images == {"train": 6}


def test_a_data_set_that_lacks_images_says_so_every_time(tmp_path):
    sources.write_folders(tmp_path / "few", {sources.SYNSETS[0]: 1}, splits=("train", "val"))
    words = (f"--source={tmp_path / 'few'}", f"--data_dir={tmp_path / 'data'}")
    for _ in range(2):
        partly = run("prepare", "imagenet143", *words, "--partial")
        assert partly.returncode == 0 and "Not complete: 1 of 180373 images" in partly.stdout
        ended = run("prepare", "imagenet143", *words)
        assert ended.returncode == 2 and "not complete: 1 of 180373 images in train" in ended.stderr


def test_names_in_a_tar_that_are_not_in_utf_8(tmp_path):
    content = sources.jpeg(sources.photo(0))
    first = sources.SYNSETS[0]
    for tar_name, inner in ((f"{first}.tar", f"{first}_1"), ("ILSVRC2012_img_val.tar", "b")):
        options = {"encoding": "latin-1", "format": tarfile.GNU_FORMAT}
        with tarfile.open(tmp_path / tar_name, "w", **options) as tar:
            for name in (f"{inner}.JPEG", "caf\xe9.JPEG", "ILSVRC2012_val_00000003.JPEG"):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    ended = run(
        "prepare", "imagenet143", f"--source={tmp_path}", f"--data_dir={tmp_path / 'data'}",
        "--partial",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "  images     3 train, 1 val" in ended.stdout
    skipped = (tmp_path / "data/imagenet143/64/1.0.0/skipped.tsv").read_text()
    assert "caf\\xe9.JPEG\timages whose names say no place" in skipped
