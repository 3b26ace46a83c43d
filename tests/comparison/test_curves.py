"""Crossings, means over seeds, ratios and shares of time, on curves whose answers are known."""

import csv
import io

import numpy as np
import pytest

from robgan_tf.comparison import configurations as run_configurations
from robgan_tf.comparison import curves as convergence
from robgan_tf.comparison import measures
from robgan_tf.comparison import table as convergence_table
from robgan_tf.comparison.curves import Run
from robgan_tf.errors import UserError

FID = "fid/callable-x-y-asis/train10k-2k"
CONFIG = {
    "train.seed": 0,
    "train.steps": 400,
    "train.discriminator_updates": 5,
    "data.dataset": "cifar10",
    "ProjectedGradientDescent.epsilon": 0.03,
    "ProjectedGradientDescent.steps": 3,
}


def run(values, name="a", seconds=None, updates=None, first_step=100, **config):
    """A run with values every 100 steps; `seconds` a step, `updates` a step."""
    records = []
    for number, value in enumerate(values):
        step = first_step + 100 * number
        record = {"step": step, FID: value}
        if seconds is not None:
            record[convergence.SECONDS] = seconds * step
        if updates is not None:
            record["count/discriminator_updates"] = updates * step
        records.append(record)
    config = {key.replace("__", "."): value for key, value in config.items()}
    return Run(name, f"{name}, seed {config.get('train.seed', 0)}", CONFIG | config, records)


def compared(*runs, score=None, name=FID):
    return convergence.comparison(name, [convergence.curve_of(run, name) for run in runs], score)


def test_the_first_crossing_is_linear_between_the_records_on_either_side():
    # 80 -> 40 between 200 and 300: 50 is three quarters of the way; the return does not count.
    curve = convergence.curve_of(run([100, 80, 40, 90, 30], seconds=0.5, updates=2), FID)
    assert curve.first_reach(50, "lower") == {
        "step": pytest.approx(275),
        "discriminator_updates": pytest.approx(550),
        "seconds": pytest.approx(137.5),
        "is_bound": False,
    }
    # Exactly the value of a record is the place of the record.
    assert curve.first_reach(40, "lower")["step"] == 300
    assert curve.first_reach(30, "lower")["step"] == 500
    assert curve.first_reach(29.9, "lower") is None
    rising = convergence.curve_of(run([1, 2, 4, 3]), FID)
    assert rising.first_reach(3, "higher")["step"] == pytest.approx(250)
    assert rising.first_reach(3, "higher")["seconds"] is None
    assert rising.first_reach(4.1, "higher") is None


def test_what_the_first_record_has_reached_already_is_a_bound():
    reach = convergence.curve_of(run([50, 40], updates=2), FID).first_reach(60, "lower")
    assert reach["is_bound"] and reach["step"] == 100 and reach["discriminator_updates"] == 200
    report = convergence.report([], [compared(run([50, 40]), score=60)])
    assert "| at most 100 | at most 500 | not recorded |" in convergence_table.markdown(report)


def test_a_bound_stays_one_in_ratios():
    early, late = run([50, 40], "early", updates=2), run([90, 80, 50], "late", updates=2)
    for runs, expected in (
        ((late, early), "| early | 1 of 1 | at most 100 (at most 0.36 x) | at most 200 (at most"),
        ((early, late), "| late | 1 of 1 | 275 (at least 2.75 x) | 550 (at least 2.75 x) |"),
        ((early, run([55, 1], "b")), "| b | 1 of 1 | at most 100 | at most 500 | - |"),
    ):
        result = compared(*runs, score=57.5)
        assert expected in convergence_table.markdown(convergence.report([], [result]))
        assert "| at most 100 (1.00 x) |" in convergence_table.markdown(
            convergence.report([], [compared(early, late, score=57.5)])
        )


def test_the_crossing_is_interpolated_in_seconds_of_a_run_that_slows_down():
    records = [
        {"step": 100, FID: 100.0, convergence.SECONDS: 10.0},
        {"step": 200, FID: 50.0, convergence.SECONDS: 110.0},
    ]
    curve = convergence.curve_of(Run("a", "a", CONFIG, records), FID)
    reach = curve.first_reach(75.0, "lower")
    assert (reach["step"], reach["seconds"]) == (150, pytest.approx(60.0))


def test_updates_are_interpolated_where_they_were_not_recorded():
    records = [
        {"step": 100, "count/discriminator_updates": 200.0},
        {"step": 150, FID: 3.0},
        {"step": 200, "count/discriminator_updates": 400.0},
        {"step": 250, FID: 2.0},
    ]
    a = Run("a", "a", CONFIG, records)
    np.testing.assert_allclose(a.updates_at([50, 150, 200, 250]), [100, 300, 400, 500])


def test_updates_of_old_records_and_of_classifiers():
    np.testing.assert_allclose(run([1, 2]).updates_at([100, 200]), [500, 1000])
    free = run([1, 2], TrainingAdversary__free=True)
    np.testing.assert_allclose(free.updates_at([100]), [1500])
    records = [{"step": 10, "count/classifier_updates": 30.0}, {"step": 20, FID: 1.0}]
    classifier = Run("a", "a", {"finetune.seed": 0}, records)
    np.testing.assert_allclose(classifier.updates_at([10, 20]), [30, 60])
    old = Run("a", "a", {"finetune.seed": 0}, [{"step": 10, FID: 1.0}])
    np.testing.assert_allclose(old.updates_at([10]), [10])


def test_seconds_count_only_if_known_from_the_first_step_on():
    late = run([3, 2, 1], seconds=0.5)
    assert late.has_seconds and late.milliseconds_per_update == pytest.approx(100.0)
    del late.records[0][convergence.SECONDS]
    assert not late.has_seconds and late.milliseconds_per_update is None
    assert convergence.curve_of(late, FID).seconds is None
    # There is nothing to time before the first step.
    from_zero = run([3, 2], seconds=0.5, first_step=0)
    del from_zero.records[0][convergence.SECONDS]
    assert list(convergence.curve_of(from_zero, FID).seconds) == [0.0, 50.0]


def test_seconds_of_a_run_that_was_killed_do_not_run_backwards():
    killed = run([4, 3, 2, 1], seconds=0.5)
    for record, seconds in zip(killed.records, (50.0, 120.0, 110.0, 150.0), strict=True):
        record[convergence.SECONDS] = seconds
    assert list(convergence.curve_of(killed, FID).seconds) == [50, 120, 120, 150]


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("fid/x/y", "lower"),
        ("kid/x/y", "lower"),
        ("loss_generator/total", None),
        ("loss_discriminator/total", None),
        ("loss_discriminator/real_class", "lower"),
        ("is/x/2k", "higher"),
        ("precision/x", "higher"),
        ("recall/x", "higher"),
        ("diversity/x", "higher"),
        ("gap/test_attacked", "higher"),
        ("gap/validation_clean", "higher"),
        ("gap/test_lipschitz", None),
        ("is_deviation/x/2k", None),
        ("lipschitz_source/real", None),
        ("attack/loss_after", None),
    ],
)
def test_direction(name, direction):
    assert measures.better_direction(name) == direction


def test_best_is_the_first_of_the_best():
    row = compared(run([9, 3, 5, 3, 4]), score=1)["runs"][0]
    assert (row["best"], row["best_step"], row["last"], row["last_step"]) == (3, 200, 4, 500)
    assert row["reach"] is None


def test_without_a_score_it_is_the_worst_of_the_best():
    result = compared(run([9, 3, 5]), run([9, 7, 6], "b"))
    assert result["score"] == 6 and not result["score_is_given"]
    assert [row["reach"]["step"] for row in result["runs"]] == [pytest.approx(150), 300]
    higher = "is/x/2k"
    runs = [
        Run(name, name, CONFIG, [{"step": 10 * n, higher: v} for n, v in enumerate(values, 1)])
        for name, values in {"a": [1, 8, 5], "b": [1, 6, 7]}.items()
    ]
    assert compared(*runs, name=higher)["score"] == 7


def test_ratios_are_of_medians_over_seeds_to_the_first_configuration():
    # Falls by 10 in 100 steps, from 100 at step 100: 50 is reached at step 600 and so on.
    def falling(slope, name, seconds, seed):
        values = 100.0 - slope * np.arange(12)
        return run(values, name, seconds=seconds, updates=2, train__seed=seed)

    result = compared(
        *(falling(slope, "a", 0.1, seed) for seed, slope in enumerate((10.0, 25.0, 5.0))),
        *(falling(slope, "b", 0.4, seed) for seed, slope in enumerate((50.0, 25.0))),
        score=50.0,
    )
    first, second = result["configurations"]
    # a: steps 600, 300, 1100; b: 200, 300.
    assert first["seeds"] == 3 and second["seeds"] == 2
    assert first["reach"]["step"] == pytest.approx(600)
    assert second["reach"]["step"] == pytest.approx(250)
    assert second["reach"]["discriminator_updates"] == pytest.approx(500)
    assert first["reach"]["seconds"] == pytest.approx(60)
    assert second["reach"]["seconds"] == pytest.approx(100)
    assert second["ratio"]["step"] == pytest.approx(250 / 600)
    assert second["ratio"]["seconds"] == pytest.approx(100 / 60)
    table = convergence_table.markdown(convergence.report([], [result]))
    assert "| b | 2 of 2 | 250 (0.42 x) | 500 (0.42 x) | 100 (1.67 x) |" in table


def test_a_seed_that_does_not_reach_the_score_takes_for_ever():
    slow, fast = [90, 80, 70], [90, 50, 40]
    result = compared(
        run(fast, "a"),
        *(run(values, "b", train__seed=seed) for seed, values in enumerate((slow, fast, fast))),
        *(run(values, "c", train__seed=seed) for seed, values in enumerate((slow, fast))),
        score=60,
    )
    _, b, c = result["configurations"]
    assert b["seeds_that_reach"] == 2 and b["ratio"]["step"] == pytest.approx(1.0)
    # Half of two for ever is for ever.
    assert c["seeds_that_reach"] == 1 and c["reach"]["step"] is None and c["ratio"]["step"] is None
    assert b["ratio"]["seconds"] is None


def test_the_mean_of_seeds_is_linear_between_their_points_where_all_of_them_are():
    a = convergence.curve_of(run([0.0, 10.0, 20.0], train__seed=0), FID)
    records = [{"step": 150, FID: 1.0}, {"step": 400, FID: 6.0}]
    b = convergence.curve_of(Run("a", "b", CONFIG, records), FID)
    places, means = convergence.mean_curve([a, b], "step")
    np.testing.assert_allclose(places, [150, 200, 300])
    # a: 5, 10, 20; b: 1, 2, 4.
    np.testing.assert_allclose(means, [3.0, 6.0, 12.0])
    late = convergence.curve_of(run([1.0], first_step=900), FID)
    assert len(convergence.mean_curve([a, late], "step")[0]) == 0


def test_seeds_differ_in_seed_path_and_length_alone():
    a = run([1], train__seed=0)
    b = run(
        [1],
        train__seed=1,
        train__steps=900,
        gap__every=7,
        alarms__stop=True,
        **{"--warm_start": "x"},
    )
    run_configurations.refuse_mixed_configurations([a, b])
    # A setting younger than the first run has its default there.
    run_configurations.refuse_mixed_configurations([a, run([1], AdversarialLoss__form="split")])
    other = run([1], AdversarialLoss__form="ac_gan")
    with pytest.raises(UserError, match=r"called a are not .* differ in AdversarialLoss\.form:"):
        run_configurations.refuse_mixed_configurations([a, other])
    run_configurations.refuse_mixed_configurations(
        [a, run([1], "b", AdversarialLoss__form="ac_gan")]
    )


def test_runs_of_different_numerics_are_not_seeds_of_one_configuration():
    old, new = run([1], train__seed=0), run([1], train__seed=1, numerics=2)
    with pytest.raises(UserError, match=r"called a are not .* differ in numerics: give them names"):
        run_configurations.refuse_mixed_configurations([old, new])
    # A run that names none was made before there were two.
    run_configurations.refuse_mixed_configurations([old, run([1], train__seed=1, numerics=1)])
    run_configurations.refuse_mixed_configurations([new, run([1], train__seed=0, numerics=2)])


def test_the_attack_s_share_of_the_time():
    attacked = [run([1], "pgd", seconds=s, updates=5, train__seed=i) for i, s in enumerate((2, 4))]
    plain = run(
        [1],
        "none",
        seconds=0.75,
        updates=5,
        ProjectedGradientDescent__steps=0,
        ProjectedGradientDescent__epsilon=0.0,
    )
    others = [
        run([1], "wide", seconds=1.0, ResNetGenerator__base_width=128),
        run([1], "free", seconds=1.0, TrainingAdversary__free=True),
        run([1], "untimed"),
    ]
    runs = [*attacked, plain, *others]
    (share,) = run_configurations.attack_shares(runs)
    # 3 s a step in the median and 0.75 s, 5 updates each.
    assert share["milliseconds_with"] == pytest.approx(600.0)
    assert share["milliseconds_without"] == pytest.approx(150.0)
    assert share["share"] == pytest.approx(0.75)
    assert (share["with_attack"], share["without_attack"]) == ("pgd", "none")
    report = convergence.report(runs, [])
    assert report["milliseconds_per_discriminator_update"]["none, seed 0"] == pytest.approx(150.0)
    assert report["milliseconds_per_discriminator_update"]["untimed, seed 0"] is None
    table = convergence_table.markdown(report)
    assert "pgd against none: **75.0%**" in table and "same machine" in table


def test_threads_make_no_other_configuration_but_other_times():
    settings = {"train__threads": "one_per_operation"}
    attacked = run([1], "pgd", seconds=4.0, updates=5, **settings)
    run_configurations.refuse_mixed_configurations([attacked, run([1], "pgd", train__seed=1)])
    without = {"seconds": 1.0, "updates": 5, "ProjectedGradientDescent__steps": 0}
    plain = run([1], "none", **without)
    assert not run_configurations.attack_shares([attacked, plain])
    assert run_configurations.attack_shares([attacked, run([1], "none", **without, **settings)])


def test_alarms_are_in_the_table():
    quiet, loud = run([3, 2], "quiet"), run([3, 2], "loud")
    for records in (quiet.records, loud.records):
        for record in records:
            record["realness/real"] = 0.5
    loud.records[1]["alarm/diversity"] = loud.records[1]["alarm/classes"] = 1.0
    lines = convergence_table.markdown(convergence.report([quiet, loud, run([1], "c")], []))
    assert "| quiet, seed 0 | 2 | none |" in lines
    assert "| 2 | classes at 1, from step 200 to 200; diversity at 1, from step 200 to" in lines
    assert "| c, seed 0 | none | not looked for |" in lines
    assert "alarms" not in convergence_table.markdown(convergence.report([run([1])], []))


def test_names_of_measures():
    records = [
        {"step": 1, "is/x/2k": 1.0, "is_deviation/x/2k": 1.0, "gap/test_clean": 1.0},
        {"step": 2, "gap/test_attacked": 1.0, "count/discriminator_updates": 2.0},
    ]
    a, b = Run("a", "a", CONFIG, records), Run("b", "b", CONFIG, [*records, {"step": 3, FID: 1.0}])
    assert measures.find_measure("is", [a, b]) == "is/x/2k"
    assert measures.find_measure("is/x/2k", [a, b]) == "is/x/2k"
    assert measures.find_measure("gap/test_att", [a, b]) == "gap/test_attacked"
    assert measures.find_measure("fid", [b]) == FID
    for given, runs, message in (
        ("gap", [a], "2 measures, .* gap/test_attacked, gap/test_clean"),
        ("fid", [a, b], f"{FID} was not measured in a, which has gap, is, is_deviation"),
        ("nope", [a, b], "no run has such a measure; there are fid, gap, is, is_deviation"),
        ("count", [a], "no run has such a measure"),
        ("", [a], "no run has such a measure"),
    ):
        with pytest.raises(UserError, match=message):
            measures.find_measure(given, runs)


def test_numbers_of_different_names_are_not_compared():
    other = Run("b", "b", CONFIG, [{"step": 1, "fid/other/train10k-2k": 1.0}])
    with pytest.raises(UserError, match=f"choose one of {FID}, fid/other/train10k-2k"):
        measures.find_measure("fid", [run([1]), other])


def test_a_measure_without_a_better_direction_has_a_last_value_only():
    name = "gap/test_lipschitz"
    a = Run("a", "a|b", CONFIG, [{"step": 10, name: 0.5}, {"step": 20, name: 0.25}])
    result = compared(a, name=name)
    assert result["score"] is None and result["runs"][0]["last"] == 0.25
    assert "| a\\|b | 0.25 |" in convergence_table.markdown(convergence.report([a], [result]))
    with pytest.raises(UserError, match="leave out --reach"):
        compared(a, name=name, score=1.0)


def test_the_csv_has_all_points():
    runs = [run([0.1, 0.2], seconds=0.5, updates=2), run([0.3], "b")]
    curves = {FID: [convergence.curve_of(each, FID) for each in runs]}
    rows = list(csv.DictReader(io.StringIO(convergence_table.curves_csv(curves))))
    assert [float(row["value"]) for row in rows] == [0.1, 0.2, 0.3]
    assert [row["step"] for row in rows] == ["100", "200", "100"]
    assert [row["seconds"] for row in rows] == ["50", "100", ""]
    assert [row["discriminator_updates"] for row in rows] == ["200", "400", "500"]
    assert {row["measure"] for row in rows} == {FID}
    assert rows[2]["configuration"] == "b"
