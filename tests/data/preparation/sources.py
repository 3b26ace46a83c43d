"""What people have of ILSVRC2012, made small: tar files of tiny photographs, and folders."""

import io
import pathlib
import tarfile

import numpy as np
from PIL import Image

from robgan_tf.data.preparation.imagenet143 import classes

SYNSETS = [each.synset for each in classes()]
MISSING = SYNSETS[-1]  # cheetah
TRUNCATED, CMYK, PNG, TURNED = (f"{SYNSETS[0]}_{number}" for number in range(1, 5))
# Of the first validation images, those of ImageNet-143 (TensorFlow Datasets has their synsets).
VAL_NUMBERS = (3, 12, 22)


def photo(seed, width=100, height=80):
    """A smooth random picture, RGB."""
    small = np.random.default_rng(seed).integers(0, 256, [5, 5, 3], np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(picture, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def special_files():
    """Contents by name of the first class's files: each is what a reader could trip over."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Stored lying on its side.
    png = io.BytesIO()
    photo(3).save(png, "PNG")
    return {
        TRUNCATED: jpeg(photo(1))[:900],
        CMYK: jpeg(photo(2).convert("CMYK")),
        PNG: png.getvalue(),
        TURNED: jpeg(photo(4), exif=exif),
    }


def tar_of(files):
    """The bytes of a tar of files, by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def write_tars(folder: pathlib.Path):
    """ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, one class missing."""
    plain = jpeg(photo(0, 60, 90))
    tars = {"n01440764.tar": tar_of({"n01440764_1.JPEG": plain})}  # a tench
    for synset in SYNSETS[:-1]:
        special = special_files() if synset == SYNSETS[0] else {}
        files = {f"{synset}_9": plain, **special}
        tars[f"{synset}.tar"] = tar_of({f"{name}.JPEG": data for name, data in files.items()})
    val = {f"ILSVRC2012_val_{number:08}.JPEG": plain for number in (1, *VAL_NUMBERS)}
    folder.mkdir(exist_ok=True)
    (folder / "ILSVRC2012_img_train.tar").write_bytes(tar_of(tars))
    (folder / "ILSVRC2012_img_val.tar").write_bytes(tar_of(val))


def write_folders(folder: pathlib.Path, counts, splits=("train", "test")):
    """Class folders of a user's own: images by class name, the same in each split."""
    for split in splits:
        for number, (name, count) in enumerate(counts.items()):
            (folder / split / name).mkdir(parents=True)
            for k in range(count):
                path = folder / split / name / f"{k}.jpg"
                path.write_bytes(jpeg(photo([number, k, len(split)], 24, 20)))
