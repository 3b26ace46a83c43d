"""Files of tests that take ten seconds or more: begun first, left out by `make test-fast`.

Lines anew, from a run of all tests: `pytest --junitxml=FILE`, `python -m tests.slow_modules FILE`.
"""

import collections
import sys
from xml.etree import ElementTree

LEAST = 10
# Seconds on one core.
SECONDS = {
    "tests/commands/test_train.py": 210,
    "tests/watching/test_quality.py": 153,
    "tests/commands/test_evaluate.py": 136,
    "tests/models/test_saving.py": 117,
    "tests/commands/test_finetune.py": 108,
    "tests/attacks/test_auto_pgd.py": 99,
    "tests/commands/test_serve_check.py": 92,
    "tests/data/datasets/test_tfds.py": 87,
    "tests/models/test_plain_form.py": 86,
    "tests/training/test_replicas.py": 86,
    "tests/training/test_joint_step.py": 79,
    "tests/robustness/test_masking.py": 65,
    "tests/library/test_run.py": 65,
    "tests/layers/test_spectral_normalization_anywhere.py": 59,
    "tests/robustness/test_evaluation.py": 58,
    "tests/commands/test_export.py": 55,
    "tests/attacks/test_square.py": 52,
    "tests/commands/test_sample.py": 50,
    "tests/commands/test_pack.py": 43,
    "tests/stages/test_old_run.py": 41,
    "tests/commands/test_signals.py": 40,
    "tests/docs/test_library.py": 36,
    "tests/docs/test_metrics.py": 33,
    "tests/sampling/test_image_set.py": 33,
    "tests/robustness/test_scale.py": 32,
    "tests/models/test_models.py": 32,
    "tests/commands/test_bad_input.py": 31,
    "tests/data/test_bombs.py": 30,
    "tests/attacks/test_auto_pgd_algorithm.py": 29,
    "tests/tools/test_benchmarks.py": 27,
    "tests/serving/test_readers.py": 26,
    "tests/data/datasets/test_tfds_features.py": 26,
    "tests/quality/test_inception.py": 26,
    "tests/training/test_non_finite.py": 25,
    "tests/watching/test_measured_splits.py": 25,
    "tests/test_extensions.py": 24,
    "tests/data/test_batches.py": 22,
    "tests/quality/test_extractors.py": 21,
    "tests/tools/test_compare_attacks.py": 19,
    "tests/training/test_free_adversarial_training.py": 16,
    "tests/models/test_folding.py": 16,
    "tests/training/test_finetune_step.py": 16,
    "tests/robustness/test_run.py": 16,
    "tests/runs/test_machine_faults.py": 15,
    "tests/library/test_robust_accuracy.py": 15,
    "tests/robustness/test_verification.py": 14,
    "tests/attacks/test_pgd_search.py": 14,
    "tests/quality/test_generated_set.py": 14,
    "tests/test_choices.py": 13,
    "tests/robustness/test_gradients.py": 12,
    "tests/sampling/test_sampler.py": 12,
    "tests/serving/test_signatures.py": 12,
    "tests/robustness/test_accuracy.py": 11,
    "tests/models/test_published.py": 11,
    "tests/losses/test_least_squares.py": 11,
    "tests/tools/test_robustness_report.py": 11,
    "tests/quality/test_precision_recall.py": 10,
    "tests/attacks/test_pgd.py": 10,
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
