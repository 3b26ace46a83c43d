"""Files of tests that take ten seconds or more: begun first, left out by `make test-fast`.

Lines anew, from a run of all tests: `pytest --junitxml=FILE`, `python -m tests.slow_modules FILE`.
"""

import collections
import sys
from xml.etree import ElementTree

LEAST = 10
# Seconds on one core.
SECONDS = {
    "tests/commands/test_train.py": 209,
    "tests/watching/test_quality.py": 162,
    "tests/training/test_joint_step.py": 135,
    "tests/commands/test_finetune.py": 126,
    "tests/attacks/test_auto_pgd.py": 120,
    "tests/training/test_replicas.py": 113,
    "tests/commands/test_evaluate.py": 95,
    "tests/models/test_plain_form.py": 84,
    "tests/tools/test_compare_attacks.py": 64,
    "tests/training/test_finetune_step.py": 59,
    "tests/docs/test_metrics.py": 58,
    "tests/sampling/test_image_set.py": 56,
    "tests/models/test_saving.py": 55,
    "tests/test_extensions.py": 54,
    "tests/robustness/test_masking.py": 51,
    "tests/attacks/test_square.py": 46,
    "tests/stages/test_old_run.py": 44,
    "tests/docs/test_library.py": 31,
    "tests/commands/test_export.py": 31,
    "tests/quality/test_extractors.py": 30,
    "tests/tools/test_benchmarks.py": 27,
    "tests/quality/test_generated_set.py": 27,
    "tests/data/test_batches.py": 24,
    "tests/commands/test_sample.py": 23,
    "tests/library/test_run.py": 23,
    "tests/commands/test_serve_check.py": 22,
    "tests/commands/test_pack.py": 21,
    "tests/robustness/test_evaluation.py": 18,
    "tests/sampling/test_sampler.py": 17,
    "tests/robustness/test_run.py": 16,
    "tests/data/datasets/test_tfds.py": 16,
    "tests/library/test_robust_accuracy.py": 15,
    "tests/serving/test_signatures.py": 12,
    "tests/losses/test_least_squares.py": 11,
    "tests/tools/test_robustness_report.py": 11,
    "tests/attacks/test_pgd.py": 10,
}


def main(path):
    """Prints the lines of the table above from the times in a JUnit file."""
    seconds = collections.Counter()
    for case in ElementTree.parse(path).iter("testcase"):
        seconds[case.get("classname").replace(".", "/") + ".py"] += float(case.get("time"))
    for name, value in seconds.most_common():
        if value >= LEAST:
            print(f'    "{name}": {round(value)},')


if __name__ == "__main__":
    main(sys.argv[1])
