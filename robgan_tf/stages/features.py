"""Opens what `--features` names: any extractor, or the classifier of a run."""

from robgan_tf.errors import UserError
from robgan_tf.quality.extractors import FeatureExtractor, classifier_extractor, open_extractor
from robgan_tf.stages.finished import best_or_last, open_run

OF_RUN = "classifier"


def open_features(spec: str, resolution: int, channels: int) -> FeatureExtractor:
    """Opens a feature extractor.

    Args:
      spec: `classifier:RUN_DIR`, the best checkpoint of that run's classifier if there is one,
        else the last; or as in `feature_extractors.open_extractor`.
      resolution: height and width of the images in pixels.
      channels: of the images.

    Returns:
      A FeatureExtractor.

    Raises:
      UserError: if it does not exist or does not fit.
    """
    kind, _, run_dir = spec.partition(":")
    if kind != OF_RUN:
        return open_extractor(spec, resolution, channels)
    if not run_dir:
        raise UserError(f"the classifier of which run? Give {OF_RUN}:RUN_DIR (--features)")
    run = open_run(run_dir, best_or_last(run_dir))
    return classifier_extractor(
        run.load_classifier("float32"),
        run.name,
        resolution,
        channels,
        source=run.identity,
    )
