"""The numbers of the paper: Table 1 of Liu and Hsieh (CVPR 2019), which has them as text.

Figures 2, 6, 7 and 8 are curves and pictures there: no number of theirs is quoted here.
"""

# Accuracy under PGD in per cent, by data set, row and radius on images in [-1, 1].
TABLE_1: dict[str, dict[str, dict[float, float]]] = {
    "cifar10": {
        "at": {0.0: 81.45, 0.02: 69.15, 0.04: 53.74, 0.08: 23.58},
        "rob_gan": {0.0: 81.1, 0.02: 70.41, 0.04: 57.43, 0.08: 30.25},
    },
    "imagenet143": {
        "at": {0.0: 20.05, 0.01: 18.3, 0.02: 12.52, 0.03: 8.32},
        "rob_gan": {0.0: 32.4, 0.01: 25.2, 0.02: 19.1, 0.03: 13.7},
    },
}


def table_1(dataset: str, name: str, kind: str, radius: float) -> float | None:
    """The published accuracy of a cell of Table 1, in [0, 1]; None where there is none.

    Args:
      dataset: name of the data set.
      name: of the run; the paper's rows are "at", adversarial training, and "rob_gan".
      kind: of the checkpoint; the paper's are "last".
      radius: on images in [-1, 1].
    """
    if kind != "last":
        return None
    found = TABLE_1.get(dataset, {}).get(name, {}).get(radius)
    return None if found is None else found / 100.0
