"""Files of tests that take seven seconds or more: begun first, left out by `make test-fast`.

Lines anew, from a run of all tests: `pytest --junitxml=FILE`, `python -m tests.slow_modules FILE`.
"""

import collections
import sys
from xml.etree import ElementTree

LEAST = 7
# Seconds on one core.
SECONDS = {
    "tests/commands/test_train.py": 125,
    "tests/models/test_saving.py": 100,
    "tests/commands/test_evaluate.py": 92,
    "tests/commands/test_finetune.py": 92,
    "tests/training/test_joint_step.py": 66,
    "tests/training/test_replicas.py": 58,
    "tests/watching/test_quality.py": 54,
    "tests/attacks/test_auto_pgd_l1.py": 50,
    "tests/data/datasets/test_tfds.py": 47,
    "tests/attacks/test_auto_pgd.py": 47,
    "tests/training/test_workers.py": 45,
    "tests/attacks/test_fab.py": 42,
    "tests/models/test_plain_form.py": 40,
    "tests/layers/test_spectral_normalization_anywhere.py": 36,
    "tests/robustness/test_scale.py": 35,
    "tests/stages/test_old_run.py": 32,
    "tests/training/test_accumulation.py": 30,
    "tests/robustness/test_planted_fakes.py": 30,
    "tests/tools/test_scaling_plan.py": 30,
    "tests/attacks/test_square.py": 27,
    "tests/docs/test_metrics.py": 26,
    "tests/reproduction/test_kill.py": 25,
    "tests/commands/test_serve_check.py": 25,
    "tests/training/test_non_finite.py": 23,
    "tests/attacks/test_auto_pgd_algorithm.py": 22,
    "tests/data/test_records.py": 22,
    "tests/tools/test_compare_autoattack.py": 22,
    "tests/commands/test_signals.py": 21,
    "tests/tools/test_benchmarks.py": 21,
    "tests/training/test_published_loop.py": 21,
    "tests/attacks/test_autoattack.py": 20,
    "tests/commands/test_export.py": 20,
    "tests/serving/test_readers.py": 19,
    "tests/commands/test_sample.py": 19,
    "tests/attacks/test_auto_pgd_eot.py": 19,
    "tests/sampling/test_image_set.py": 18,
    "tests/test_extensions.py": 18,
    "tests/commands/test_bad_input.py": 18,
    "tests/robustness/test_compiled.py": 18,
    "tests/quality/test_extractors.py": 17,
    "tests/library/test_robust_accuracy.py": 17,
    "tests/docs/test_your_classifier.py": 16,
    "tests/quality/test_inception.py": 16,
    "tests/docs/test_library.py": 16,
    "tests/watching/test_measured_splits.py": 15,
    "tests/data/preparation/test_prepare.py": 15,
    "tests/robustness/test_replicas.py": 15,
    "tests/serving/test_signatures.py": 14,
    "tests/robustness/test_run.py": 14,
    "tests/robustness/test_masking.py": 14,
    "tests/training/test_finetune_step.py": 14,
    "tests/quality/test_precision_recall.py": 13,
    "tests/commands/test_pack.py": 13,
    "tests/data/datasets/test_tfds_features.py": 13,
    "tests/attacks/test_pgd.py": 12,
    "tests/robustness/test_gradients.py": 12,
    "tests/training/test_free_adversarial_training.py": 12,
    "tests/data/preparation/test_imagenet143.py": 12,
    "tests/commands/test_report.py": 12,
    "tests/commands/test_reproduce.py": 12,
    "tests/tools/test_compare_attacks.py": 12,
    "tests/data/test_batches.py": 12,
    "tests/attacks/test_pgd_search.py": 12,
    "tests/models/test_own_networks.py": 12,
    "tests/robustness/test_verification.py": 11,
    "tests/data/test_bombs.py": 11,
    "tests/models/test_published.py": 10,
    "tests/models/test_models.py": 10,
    "tests/quality/test_moments.py": 9,
    "tests/quality/test_generated_set.py": 9,
    "tests/adapters/test_numpy_functions.py": 9,
    "tests/tools/test_imports.py": 9,
    "tests/library/test_run.py": 9,
    "tests/robustness/test_accuracy.py": 9,
    "tests/tools/test_robustness_report.py": 9,
    "tests/models/test_folding.py": 8,
    "tests/reproduction/test_claims.py": 8,
    "tests/reproduction/test_state.py": 8,
    "tests/runs/test_checkpoints.py": 8,
    "tests/watching/test_diagnostics.py": 8,
    "tests/commands/test_compare.py": 8,
    "tests/serving/test_onnx_export.py": 8,
    "tests/test_choices.py": 7,
    "tests/commands/test_train_bad_input.py": 7,
    "tests/comparison/test_plot.py": 7,
    "tests/attacks/test_hyperplane.py": 7,
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
