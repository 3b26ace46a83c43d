"""Files of tests that take ten seconds or more: begun first, left out by `make test-fast`.

Lines anew, from a run of all tests: `pytest --junitxml=FILE`, `python -m tests.slow_modules FILE`.
"""

import collections
import sys
from xml.etree import ElementTree

LEAST = 10
# Seconds on one core.
SECONDS = {
    "tests/commands/test_train.py": 143,
    "tests/commands/test_evaluate.py": 93,
    "tests/commands/test_finetune.py": 83,
    "tests/watching/test_quality.py": 68,
    "tests/training/test_replicas.py": 61,
    "tests/training/test_joint_step.py": 49,
    "tests/attacks/test_auto_pgd.py": 47,
    "tests/data/datasets/test_tfds.py": 43,
    "tests/robustness/test_run.py": 40,
    "tests/models/test_saving.py": 39,
    "tests/stages/test_old_run.py": 35,
    "tests/commands/test_signals.py": 32,
    "tests/robustness/test_masking.py": 32,
    "tests/robustness/test_scale.py": 28,
    "tests/models/test_plain_form.py": 26,
    "tests/docs/test_metrics.py": 25,
    "tests/attacks/test_square.py": 25,
    "tests/training/test_non_finite.py": 25,
    "tests/commands/test_export.py": 25,
    "tests/training/test_finetune_step.py": 24,
    "tests/training/test_published_loop.py": 24,
    "tests/attacks/test_auto_pgd_algorithm.py": 23,
    "tests/robustness/test_gradients.py": 23,
    "tests/quality/test_inception.py": 23,
    "tests/docs/test_library.py": 22,
    "tests/sampling/test_image_set.py": 21,
    "tests/tools/test_benchmarks.py": 20,
    "tests/layers/test_spectral_normalization_anywhere.py": 20,
    "tests/robustness/test_compiled.py": 20,
    "tests/test_extensions.py": 19,
    "tests/quality/test_extractors.py": 19,
    "tests/attacks/test_pgd.py": 18,
    "tests/attacks/test_pgd_search.py": 18,
    "tests/commands/test_serve_check.py": 18,
    "tests/models/test_models.py": 17,
    "tests/runs/test_machine_faults.py": 17,
    "tests/serving/test_readers.py": 17,
    "tests/quality/test_precision_recall.py": 16,
    "tests/data/datasets/test_tfds_features.py": 16,
    "tests/commands/test_bad_input.py": 16,
    "tests/quality/test_generated_set.py": 14,
    "tests/watching/test_measured_splits.py": 14,
    "tests/models/test_published.py": 14,
    "tests/robustness/test_accuracy.py": 13,
    "tests/library/test_robust_accuracy.py": 13,
    "tests/commands/test_sample.py": 13,
    "tests/training/test_free_adversarial_training.py": 12,
    "tests/robustness/test_verification.py": 12,
    "tests/sampling/test_sampler.py": 12,
    "tests/commands/test_pack.py": 12,
    "tests/tools/test_robustness_report.py": 11,
    "tests/serving/test_signatures.py": 11,
    "tests/runs/test_checkpoints.py": 10,
    "tests/data/test_bombs.py": 10,
    "tests/commands/test_compare.py": 10,
    "tests/commands/test_train_bad_input.py": 10,
    "tests/models/test_folding.py": 10,
}


def main(paths):
    """Prints the lines of the table above from the times in JUnit files."""
    seconds = collections.Counter()
    for path in paths:
        for case in ElementTree.parse(path).iter("testcase"):
            # The name of a class may follow that of the module.
            parts = [part for part in case.get("classname").split(".") if part.islower()]
            seconds["/".join(parts) + ".py"] += float(case.get("time"))
    for name, value in seconds.most_common():
        if value >= LEAST:
            print(f'    "{name}": {round(value)},')


if __name__ == "__main__":
    main(sys.argv[1:])
