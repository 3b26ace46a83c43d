"""What is missing of a data set whose size is known."""

from collections.abc import Mapping, Sequence

from robgan_tf.data.preparation.plan import Plan, named


def shortage(
    plan: Plan, complete: Mapping[str, int] | None, counts: Mapping[str, Sequence[int]]
) -> list[str]:
    """Says what splits, classes and images are missing, or too many.

    Args:
      plan: what was found.
      complete: images that each split should have; None if that is not known.
      counts: images of each class, by split.

    Returns:
      A clause on each split that is not complete.
    """
    found = []
    for split, expected in (complete or {}).items():
        of_class = counts.get(split, [0] * len(plan.class_names))
        images = sum(of_class)
        if images == expected:
            continue
        missing = [x for x, count in zip(plan.class_names, of_class, strict=True) if not count]
        classes = len(plan.class_names)
        (clause,) = images_missing({split: expected}, {split: images})
        if missing:
            clause += f", {classes - len(missing)} of {classes} classes (missing: {named(missing)})"
        found.append(clause)
    return found


def images_missing(complete: Mapping[str, int] | None, images: Mapping[str, int]) -> list[str]:
    """Says in which splits there are fewer images than there should be, or more.

    Args:
      complete: images that each split should have; None if that is not known.
      images: how many there are, by split.
    """
    return [
        f"{images.get(split, 0)} of {expected} images in {split}"
        for split, expected in (complete or {}).items()
        if images.get(split, 0) != expected
    ]
