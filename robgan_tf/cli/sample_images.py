"""sample images: many images, in class folders or in one npz."""

from robgan_tf.cli import sampling, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    sampling.add_flags(parser)
    parser.group("Images")
    parser.flag("num_images", "How many.", values.whole(1), default=1000, form="NUMBER")
    parser.flag(
        "format",
        "png: PNGs in class folders; npz: one npz.",
        values.one_of("png", "npz"),
        default="png",
        form="FORMAT",
    )


def sample(given: Values) -> int:
    """Samples as the flags say."""
    asked = sampling.Sampling(given)
    from robgan_tf.sampling.image_set import write_folder, write_npz

    names = asked.class_names()
    record = {
        "generator": asked.subject,
        "images": given.num_images,
        "seed": given.seed,
        "truncation": given.truncation,
        "classes": list(names),
    }
    path = asked.path(f"images_{given.num_images}", ".npz" if given.format == "npz" else "")
    if given.format == "npz":
        count = write_npz(path, asked.generator, record, given.batch_size)
    else:
        count = write_folder(path, asked.generator, names, record, given.batch_size)
    before = given.num_images - count
    print(f"  written: {path}" + (f" ({before} images were there already)" if before else ""))
    return 0


COMMAND = Command(
    "sample images",
    "Writes PNGs in class folders or one npz, as the finetune command takes them. Without a "
    "truncation they are the images that evaluate quality measures for the same seed and number. "
    "The same command continues an interrupted folder; what is there already is never overwritten.",
    "--run_dir=runs/quickstart --num_images=1000",
    add_flags,
    sample,
    one_process=True,
)
