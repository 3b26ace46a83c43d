"""What results of evaluate robustness are called: what was asked, so that no two questions meet."""

import pytest

from robgan_tf.cli.evaluate_robustness import COMMAND, result_name

MANY = ",".join(f"0.02{digit:03d}" for digit in range(1, 13))


def name_of(*words):
    return result_name(COMMAND.parser().read(["--run_dir=x", *words]))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "published_test"),
        (["--attack=strong", "--split=train"], "strong_train"),
        # What is said but usual, or changes no result, changes no name.
        (["--norm=linf", "--seed=0", "--epsilons=0.02,0.04,0.08", "--batch_size=3", "--nomasking"],
         "published_test"),
        (["--images=60"], "published_test_60_images"),
        (["--norm=l2", "--epsilons=0.5", "--images=7"], "published_test_7_images_l2_epsilon_0.5"),
        (["--epsilons=8/255"], "published_test_epsilon_0.0627451"),
        (["--epsilons=0.02,0.01"], "published_test_epsilon_0.01_0.02"),
        (["--seed=3"], "published_test_seed_3"),
        (["--input_range=0,255"], "published_test_range_0_255"),
        (["--input_mean=0.5,0.4,0.3", "--input_deviation=0.2,0.2,0.2", "--input_range=0,1"],
         "published_test_range_0_1_mean_0.5_0.4_0.3_deviation_0.2_0.2_0.2"),
    ],
)  # fmt: skip
def test_names_carry_what_was_asked(words, name):
    assert name_of(*words) == f"robustness_{name}"


def test_radii_in_another_order_are_the_same_question():
    assert name_of("--epsilons=0.04,0.02") == name_of("--epsilons=0.02,0.04")
    assert name_of("--epsilons=0.08,0.02,0.04") == name_of()


def test_many_radii_fit_into_a_name():
    name = name_of(f"--epsilons={MANY}")
    assert len(name) < 60
    assert name != name_of(f"--epsilons={MANY.replace('0.02001', '0.02')}")
