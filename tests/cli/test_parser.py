"""Flags as absl writes them, read by argparse, and one line for what is wrong."""

import argparse

import pytest
from absl import flags as absl_flags

from robgan_tf.cli import values
from robgan_tf.cli.parser import Parser
from robgan_tf.errors import UserError


def parser():
    made = Parser("prog", "What it does, in 100 % of cases.", "--seed=1")
    made.group("First")
    made.flag("gin_file", "Files.", repeated=True, form="FILE")
    made.flag("seed", "A seed.", values.seed, default=3, form="NUMBER")
    made.flag("input_range", "Two numbers.", values.numbers, default=(-1.0, 1.0), shown="-1,1")
    made.flag("classes", "Names.", values.texts)
    made.group("Second")
    made.switch("masking", "Look for masking.", default=True)
    made.switch("dry_run", "Only say.")
    return made


def read(*words):
    return parser().read(words)


def test_defaults_are_not_shared_between_command_lines():
    assert read("--gin_file=a", "--gin_file=b").gin_file == ["a", "b"]
    assert vars(read()) == {
        "gin_file": [],
        "seed": 3,
        "input_range": (-1.0, 1.0),
        "classes": None,
        "masking": True,
        "dry_run": False,
        "given": (),
    }


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--seed=7"], "seed", 7),
        (["--seed", "7"], "seed", 7),
        (["-seed=7"], "seed", 7),
        (["-seed", "7"], "seed", 7),
        (["--seed=7", "--seed=8"], "seed", 8),
        (["--input_range", "-2,5e-1"], "input_range", (-2.0, 0.5)),
        (["--classes=a, b,\"c,d\""], "classes", ["a", "b", "c,d"]),
        (["--classes="], "classes", []),
        (["--gin_file", "--odd name"], "gin_file", ["--odd name"]),
        (["--masking"], "masking", True),
        (["--nomasking"], "masking", False),
        (["--masking=false"], "masking", False),
        (["--masking=0"], "masking", False),
        (["--nomasking", "--masking=True"], "masking", True),
        (["--dry_run"], "dry_run", True),
        (["-dry_run"], "dry_run", True),
        (["--dry_run", "--nodry_run"], "dry_run", False),
    ],
)  # fmt: skip
def test_flags_are_written_as_absl_has_them(words, name, value):
    assert getattr(read(*words), name) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sede=7"], "there is no flag --sede; did you mean --seed?"),
        (["--gin_fil=7"], "there is no flag --gin_fil; did you mean --gin_file?"),
        (["--dry"], "there is no flag --dry; "),
        (["--nothing_like_it"], "there is no flag --nothing_like_it; --help lists those there are"),
        (["word"], "unexpected argument 'word'; flags begin with --"),
        (["--", "--seed=7"], "unexpected argument '--seed=7'; flags begin with --"),
        (["--seed"], "--seed needs a value: --seed=NUMBER"),
        (["--seed=-1"], "--seed=-1: give a whole number from 0 to 9223372036854775807"),
        (["--seed=9223372036854775808"], "--seed=9223372036854775808: give a whole number from 0"),
        (["--seed=1.5"], "--seed=1.5: not a whole number"),
        (["--input_range=0,x"], "--input_range=0,x: not a list of numbers"),
        (["--masking=maybe"], "--masking=maybe: give true or false"),
        (["--nomasking=true"], "--nomasking takes no value; write --masking=true or --nomasking"),
        (["--verbosity=loud"], "flag --verbosity=loud: "),
    ],
)
def test_what_is_wrong_is_one_line(words, message):
    with pytest.raises(UserError) as caught:
        read(*words)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_what_was_given_is_known_and_can_be_refused():
    given = read("--seed", "3", "-dry_run", "--gin_file=a b")
    assert given.given == ("--seed=3", "--dry_run", "--gin_file=a b")
    assert given.has("seed") and not given.has("classes")
    given.refuse(["classes", "masking"], "is of another")
    with pytest.raises(UserError, match="--seed is of another: leave it out"):
        given.refuse(["classes", "seed"], "is of another")


def test_flags_may_stand_in_a_file(tmp_path):
    (tmp_path / "flags").write_text("--seed=5\n--nomasking\n")
    given = read(f"--flagfile={tmp_path / 'flags'}")
    assert (given.seed, given.masking) == (5, False)


def test_absl_s_own_flags_are_taken():
    verbosity = absl_flags.FLAGS["verbosity"].value
    try:
        read("-v", "1")
        assert absl_flags.FLAGS.verbosity == 1
        read("--undefok=unheard_of", "--unheard_of=1")
    finally:
        absl_flags.FLAGS["verbosity"].unparse()
        absl_flags.FLAGS.verbosity = verbosity


def test_help_shows_groups_forms_and_defaults(capsys):
    with pytest.raises(SystemExit) as caught:
        read("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    places = [
        text.index(part)
        for part in (
            "usage: prog [flags]",
            "What it does, in 100 % of cases.",
            "Example:\n  prog --seed=1",
            "First:",
            "--gin_file=FILE",
            "--seed=NUMBER",
            "A seed. Default: 3.",
            "Second:",
            "--[no]masking",
            "Look for masking. Default: on.",
            "Help:",
            "-h, --help",
        )
    ]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 100


def test_every_kind_of_value_refuses_what_it_is_not():
    for value, text, message in (
        (values.whole(2), "1", "--x=1: give at least 2"),
        (values.bound(1e-30), "0", "--x=0: give a bound above 0"),
        (values.bound(1e-30), "low", "--x=low: not a number"),
        (values.one_of("a", "b"), "c", "--x=c does not exist; choose one of a, b"),
        (values.radii, "0.1,8/256", "--x=0.1,8/256: '8/256' is no radius: give a number on"),
        (values.radii, "", "--x: give radii above 0"),
        (values.radii, "8/255,0", "--x: give radii above 0"),
    ):
        with pytest.raises(UserError) as caught:
            value("--x", text)
        assert str(caught.value).startswith(message)
    assert values.radii("--x", "8/255, 0.04") == pytest.approx((16 / 255, 0.04))


def test_values_are_argparse_s():
    assert isinstance(read(), argparse.Namespace)
