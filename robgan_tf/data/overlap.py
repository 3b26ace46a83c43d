"""Images that a run is trained and measured on: no measure of what it makes of new ones."""

from collections.abc import Sequence

from robgan_tf.data.load import ImageData


def overlap_warning(data: ImageData, splits: Sequence[str]) -> str | None:
    """One line on images that are exactly alike in the training images and in others.

    Args:
      data: an ImageData.
      splits: names of the others, "validation" or "test".

    Returns:
      The line, with the counts; None where there is no such image, or it is not known.
    """
    found = []
    for name in splits:
        source = getattr(data, name)
        count = source.count_in(data.train) if len(source) else 0
        if count:
            found.append(f"{count} of {len(source)} {name} images")
    if not found:
        return None
    return (
        f"warning: {' and '.join(found)} are training images too, or exactly like one: what is "
        "measured on them says nothing of new images"
    )
