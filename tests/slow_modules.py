"""Files of tests that take seven seconds or more: begun first, left out by `make test-fast`.

Lines anew, from a run of all tests: `pytest --junitxml=FILE`, `python -m tests.slow_modules FILE`.
"""

import collections
import sys
from xml.etree import ElementTree

LEAST = 7
# Seconds on one core.
SECONDS = {
    "tests/attacks/test_fab.py": 42,
    "tests/commands/test_train.py": 125,
    "tests/commands/test_finetune.py": 92,
    "tests/commands/test_evaluate.py": 84,
    "tests/attacks/test_auto_pgd_l1.py": 50,
    "tests/training/test_replicas.py": 74,
    "tests/watching/test_quality.py": 67,
    "tests/models/test_saving.py": 61,
    "tests/attacks/test_auto_pgd.py": 46,
    "tests/training/test_joint_step.py": 61,
    "tests/training/test_workers.py": 60,
    "tests/data/datasets/test_tfds.py": 42,
    "tests/stages/test_old_run.py": 39,
    "tests/robustness/test_masking.py": 14,
    "tests/robustness/test_planted_fakes.py": 30,
    "tests/training/test_accumulation.py": 30,
    "tests/models/test_plain_form.py": 29,
    "tests/attacks/test_auto_pgd_eot.py": 21,
    "tests/attacks/test_square.py": 27,
    "tests/robustness/test_run.py": 14,
    "tests/robustness/test_scale.py": 26,
    "tests/commands/test_export.py": 25,
    "tests/watching/test_measured_splits.py": 24,
    "tests/layers/test_spectral_normalization_anywhere.py": 24,
    "tests/reproduction/test_kill.py": 24,
    "tests/training/test_non_finite.py": 23,
    "tests/attacks/test_auto_pgd_algorithm.py": 22,
    "tests/tools/test_compare_autoattack.py": 22,
    "tests/data/test_records.py": 22,
    "tests/data/preparation/test_prepare.py": 15,
    "tests/data/preparation/test_imagenet143.py": 12,
    "tests/commands/test_signals.py": 21,
    "tests/commands/test_serve_check.py": 21,
    "tests/docs/test_your_classifier.py": 21,
    "tests/attacks/test_autoattack.py": 20,
    "tests/training/test_published_loop.py": 20,
    "tests/docs/test_metrics.py": 19,
    "tests/test_extensions.py": 18,
    "tests/robustness/test_compiled.py": 18,
    "tests/sampling/test_image_set.py": 18,
    "tests/quality/test_extractors.py": 17,
    "tests/library/test_robust_accuracy.py": 17,
    "tests/tools/test_benchmarks.py": 16,
    "tests/serving/test_readers.py": 16,
    "tests/robustness/test_replicas.py": 15,
    "tests/quality/test_inception.py": 15,
    "tests/commands/test_sample.py": 14,
    "tests/commands/test_bad_input.py": 14,
    "tests/training/test_finetune_step.py": 14,
    "tests/quality/test_precision_recall.py": 13,
    "tests/docs/test_library.py": 13,
    "tests/attacks/test_pgd.py": 12,
    "tests/robustness/test_gradients.py": 12,
    "tests/training/test_free_adversarial_training.py": 12,
    "tests/commands/test_pack.py": 12,
    "tests/commands/test_report.py": 12,
    "tests/commands/test_reproduce.py": 12,
    "tests/data/datasets/test_tfds_features.py": 12,
    "tests/attacks/test_pgd_search.py": 12,
    "tests/models/test_published.py": 12,
    "tests/robustness/test_verification.py": 11,
    "tests/data/test_bombs.py": 11,
    "tests/models/test_models.py": 11,
    "tests/quality/test_moments.py": 9,
    "tests/tools/test_compare_attacks.py": 9,
    "tests/quality/test_generated_set.py": 9,
    "tests/data/test_batches.py": 9,
    "tests/commands/test_compare.py": 9,
    "tests/robustness/test_accuracy.py": 9,
    "tests/tools/test_robustness_report.py": 9,
    "tests/serving/test_signatures.py": 9,
    "tests/adapters/test_numpy_functions.py": 9,
    "tests/reproduction/test_claims.py": 8,
    "tests/reproduction/test_state.py": 8,
    "tests/library/test_run.py": 8,
    "tests/tools/test_imports.py": 8,
    "tests/runs/test_checkpoints.py": 8,
    "tests/watching/test_diagnostics.py": 8,
    "tests/serving/test_onnx_export.py": 8,
    "tests/models/test_folding.py": 8,
    "tests/test_choices.py": 7,
    "tests/commands/test_train_bad_input.py": 7,
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
