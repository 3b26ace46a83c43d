"""sample interpolation: the way from a latent to another, or from a class to the next."""

from robgan_tf.cli import sampling, values
from robgan_tf.cli.command import Command
from robgan_tf.cli.parser import Parser, Values
from robgan_tf.errors import UserError


def add_flags(parser: Parser) -> None:
    """Declares the kind's flags."""
    sampling.add_flags(parser)
    parser.group("Interpolation")
    parser.flag(
        "between",
        "latents: a class a row, from one latent to another; classes: a latent a row, from a "
        "class to the next of --classes.",
        values.one_of("latents", "classes"),
        default="latents",
        form="WHAT",
    )
    sampling.add_classes(parser)
    sampling.add_shared_latents(parser)
    parser.flag("frames", "Images a row of the PNG.", values.whole(2), default=9, form="NUMBER")
    parser.flag(
        "gif_frames", "Frames of the GIF, one way.", values.whole(2), default=30, form="NUMBER"
    )


def sample(given: Values) -> int:
    """Samples as the flags say."""
    asked = sampling.Sampling(given)
    from robgan_tf.reporting import png, sample_sheet
    from robgan_tf.sampling.image_files import back_and_forth_gif

    names = asked.class_names()
    labels = asked.chosen(names, sampling.SHEET_CLASSES)
    sampler = asked.sampler(given.shared_latents)
    if given.between == "classes":
        if len(labels) < 2:
            raise UserError(
                "--between=classes needs two classes or more to lead from one to the next"
                + ("; give --classes" if names else ", and this generator has none")
            )
        interpolate, rows = sampler.between_classes, sampling.pair_names(names, labels)
    else:
        interpolate, rows = sampler.between_latents, sampling.row_names(names, labels)
    grid = sample_sheet(interpolate(labels, given.frames), rows)
    images = interpolate(labels, given.gif_frames)
    frames = [sample_sheet(images[:, [k]], rows) for k in range(images.shape[1])]
    kind = f"interpolation_{given.between}"
    asked.write(kind, ".png", png(grid))
    asked.write(kind, ".gif", back_and_forth_gif(frames))
    return 0


COMMAND = Command(
    "sample interpolation",
    "Draws the way from a latent to another, or from a class to the next. It is a PNG with a way a "
    "row, and an animated GIF. What is there already is never overwritten.",
    "--run_dir=runs/quickstart --between=classes",
    add_flags,
    sample,
    one_process=True,
)
