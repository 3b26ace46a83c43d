"""The alternatives a gin file may choose from, by name.

They stand apart from the code that carries them out so that a configuration can be checked
before TensorFlow is loaded.
"""

LOSS_FORMS = ("split", "ac_gan")
LOSS_WEIGHT_SETS = ("paper", "official_code")
SOURCE_LOSSES = ("bce", "hinge")
DISCRIMINATOR_NORMALIZATIONS = ("spectral", "batch", "none")
QUALITY_MEASURES = ("fid", "kid", "is", "precision", "recall")
DISCRIMINATOR_HEADS = ("class", "projection", "none")
ATTACK_NORMS = ("linf", "l2")
ATTACK_TARGETS = ("source_and_class", "class", "source")
LEARNING_RATE_SCHEDULES = ("constant", "halving", "linear", "drops", "cosine")
CLASSIFIER_NETWORKS = ("discriminator", "preact_resnet18")
PREACT_NORMALIZATIONS = ("none", "batch")
STARTS = ("gan", "scratch")
STRATEGIES = ("mirrored", "single_device")
DATASET_AUGMENTATIONS = ("none", "flip", "pad_crop_flip", "area_crop_flip")
PRECISIONS = ("float32", "bfloat16")
ATTACK_PRESETS = ("published", "strong", "fgsm", "pgd-50-10", "apgd", "square")

# Of the --seed of commands: what a 64-bit integer of TensorFlow holds.
LARGEST_SEED = 2**63 - 1
