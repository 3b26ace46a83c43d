"""The benchmark's bookkeeping: operations counted, ratios within rounds. Never its timings."""

import functools

import pytest

from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from tools.benchmarks import models
from tools.benchmarks.arithmetic import Flops, attack_flops, training_step_flops
from tools.benchmarks.profile import _part, _shared_out, profile
from tools.benchmarks.timing import Variant, interleave, summarize
from tools.plain_form import plain_form


@functools.cache
def forward(model_class, is_plain):
    model = model_class(32, 3, 10, base_width=64)
    model.build()
    if is_plain:
        plain_form(model)
    count = {
        ResNetGenerator: models.generator_flops,
        ResNetDiscriminator: models.discriminator_flops,
    }[model_class]
    return count(model)


def test_operations_of_the_published_discriminator_by_hand():
    """Widths 128: convolutions at 32, 16 and 8 pixels."""
    pixels, wide = 128 * 128 * 2, 3 * 128 * 2
    plain = 32**2 * 9 * (wide + pixels) + 16**2 * wide  # block 1, its shortcut after pooling
    plain += 16**2 * (9 * 2 + 1) * pixels  # block 2, its shortcut before pooling
    plain += 2 * 8**2 * 9 * 2 * pixels
    rewritten = 32**2 * 9 * wide + 16**2 * 16 * pixels + 16**2 * wide
    rewritten += (16**2 * 9 + 8**2 * 16 + 8**2) * pixels
    rewritten += 2 * 8**2 * 9 * 2 * pixels
    assert forward(ResNetDiscriminator, is_plain=True).total == plain
    assert forward(ResNetDiscriminator, is_plain=False).total == rewritten
    assert (plain // 1e6, rewritten // 1e6) == (544, 328)
    assert forward(ResNetDiscriminator, is_plain=False).first == 32**2 * 9 * wide + 16**2 * wide


def test_fusing_saves_the_generator_a_third():
    plain, rewritten = (forward(ResNetGenerator, choice).total for choice in (True, False))
    assert plain / 1e6 == pytest.approx(3170, abs=5)
    assert rewritten / 1e6 == pytest.approx(2013, abs=5)


def test_operations_of_a_step():
    generator, discriminator = Flops(100.0, 0.0), Flops(10.0, 1.0)
    assert attack_flops(discriminator) == 20
    # A batch: attack 3 x 20, D twice (forward 10, kernels 10, hidden 9), G 100; then G's update.
    expected = 4 * (2 * (60 + 2 * 29 + 100) + 300 + 20)
    assert training_step_flops(generator, discriminator, 2, 4, 3) == expected


def test_operations_of_free_training_are_not_claimed():
    bindings = ["train.batch_size=4"]
    bindings += [f"ResNet{player}.base_width=4" for player in ("Generator", "Discriminator")]
    files = ["gin/cifar10.gin", "gin/attacks/free.gin"]
    assert models.training_step("free", files, bindings).flops is None
    assert models.training_step("PGD", files[0], bindings).flops > 0


def test_every_variant_runs_once_a_round_and_may_time_itself():
    log = []
    variants = [
        Variant("a", lambda: log.append("a"), 1),
        Variant("b", lambda: log.append("b") or 2.5, 1),
    ]
    seconds = interleave(variants, rounds=3, warm_ups=2)
    assert seconds["b"] == [2.5, 2.5, 2.5]
    assert len(seconds["a"]) == 3
    assert sorted(log) == ["a"] * 5 + ["b"] * 5


def test_ratios_are_those_within_a_round():
    variants = [
        Variant("reference", None, 10),
        Variant("fast", None, 10, flops=8.0, precision="bfloat16"),
    ]
    # The machine is slower in the third round, for both.
    seconds = {"reference": [2.0, 2.0, 8.0], "fast": [1.0, 1.25, 4.0]}
    reference, fast = summarize(variants, seconds, {"float32": 10.0, "bfloat16": 16.0})
    assert reference["speed_ratio"] == 1.0
    assert "share_of_peak" not in reference
    assert (fast["speed_ratio"], fast["speed_ratio_range"]) == (2.0, [1.6, 2.0])
    assert fast["images_per_second"] == 8.0
    assert fast["share_of_peak"] == pytest.approx(8.0 / 1.25 / 16.0)


def test_concurrent_operations_share_the_time():
    events = [(0.0, 4.0, "long"), (1.0, 3.0, "short"), (2.0, 3.0, "short"), (6.0, 7.0, "late")]
    # Second 1 to 2 is halved; second 2 to 3 goes to three, of which "short" is two.
    seconds = _shared_out(events)
    assert seconds == pytest.approx({"long": 1 + 1 / 2 + 1 / 3 + 1, "short": 7 / 6, "late": 1})


def test_parts_of_a_step():
    assert _part("gradient_tape/generator_1/block_1/Conv2D") == "G update"
    assert _part("while/body/_1/while/generator_1/block_1/Conv2D") == "fakes for D"
    assert _part("while/body/_1/gradient_tape/while/discriminator_1/x") == "D update"
    assert _part("while/body/_1/while/while/body/_9/while/while/discriminator_1/x") == "the attack"


def test_a_profile_of_a_real_step_names_its_convolutions():
    bindings = ["train.batch_size=4", "train.discriminator_updates=1"]
    bindings += [f"ResNet{player}.base_width=8" for player in ("Generator", "Discriminator")]
    bindings += ["ResNetGenerator.widths='2; 2, 1, 1'", "ResNetDiscriminator.widths='1, 2'"]
    step = models.training_step("tiny", "gin/cifar10.gin", bindings)
    step.run()
    found = profile(step.run)
    assert set(found["by_part"]) == {"the attack", "D update", "fakes for D", "G update"}
    for group in ("by_part", "by_operation"):
        assert sum(found[group].values()) == pytest.approx(found["accounted_for"])
    assert 0.0 < found["accounted_for"] <= 1.0
    assert sum(share for kind, share in found["by_operation"].items() if "convol" in kind) > 0.05
