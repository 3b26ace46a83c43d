"""What every command has: --help, one line for what is wrong, and nothing left in the process."""

import importlib
import re
import shlex
import subprocess
import sys
import time

import pytest
from absl import flags as absl_flags

from robgan_tf.cli.command import Command, Kinds
from robgan_tf.cli.commands import COMMANDS
from robgan_tf.errors import UserError
from tests.in_process import ROOT, run, run_any

FIRST = ("--gin_file", "--gin_param", "--run_dir", "--data_dir", "--dry_run")


def commands():
    """(words, Command) of every command and every kind of one."""
    for name, (module, _) in COMMANDS.items():
        command = importlib.import_module(module).COMMAND
        assert command.name == name
        for one in command.kinds if isinstance(command, Kinds) else [command]:
            yield pytest.param(one.name.split(), one, id=one.name.replace(" ", "_"))


@pytest.mark.parametrize(("words", "command"), commands())
def test_help_of_every_command_and_kind(words, command: Command):
    for asked in ("--help", "-h"):
        ended = run_any(*words, asked)
        assert ended.returncode == 0 and not ended.stderr
    text = ended.stdout
    assert " ".join(command.purpose.split()) in " ".join(text.split())
    assert f"python -m robgan_tf.{command.name} {command.example}".rstrip() in text
    parser = command.parser()
    shown = [f"--{name}" for name in parser.flag_names()]
    for name in shown:
        assert name in text.replace("--[no]", "--")
    # What says which run it is comes first, in this order.
    present = [name for name in FIRST if name in shown]
    places = [text.replace("--[no]", "--").index(f"\n  {name}") for name in present]
    assert places == sorted(places)
    if {"--gin_file", "--run_dir"} & set(shown):
        assert shown[2] in FIRST, "after --help and --helpfull"


@pytest.mark.parametrize(("words", "command"), commands())
def test_the_example_of_every_help_is_understood(words, command: Command):
    command.bound(shlex.split(command.example))


def paths_of(command):
    """Names of the flags that take a path."""
    described = [entry for _, entries in command.parser().described() for entry, _ in entries]
    pairs = [entry.removeprefix("--").split("=", 1) for entry in described if "=" in entry]
    takes_path = re.compile(r"DIR|FILE|PATH")
    names = [name for name, form in pairs if takes_path.search(form) or name == "features"]
    assert names or command.name in ("configs", "launch")
    return names


@pytest.mark.parametrize(("words", "command"), commands())
def test_every_flag_of_a_path_knows_the_home_folder(words, command: Command, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    for name in paths_of(command):
        for given, expected in (
            ("~/a b", "/home/somebody/a b"),
            ("~", "/home/somebody"),
            ("kind:~/x", "kind:/home/somebody/x"),
            ("name=~/x", "name=/home/somebody/x"),
            ("./~/x", "./~/x"),
            ("x~", "x~"),
        ):
            found = getattr(command.parser().read([f"--{name}={given}"]), name)
            assert (found[-1] if isinstance(found, list) else found) == expected


@pytest.mark.parametrize(("words", "command"), commands())
def test_an_address_is_refused_by_every_flag_of_a_path(words, command: Command):
    for name in paths_of(command):
        for given in ("gs://bucket/x", "kind:s3://bucket", "name=https://host/x"):
            with pytest.raises(UserError, match=rf"^--{name}={given}: an address is no path; copy"):
                command.parser().read([f"--{name}={given}"])


def test_an_address_is_refused_where_the_environment_names_it(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "gs://tfds-data")
    ended = run_any("train", "--gin_file=gin/quickstart.gin", "--dry_run")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: TFDS_DATA_DIR=gs://tfds-data: an address is no path")


def test_the_home_of_nobody_is_refused():
    ended = run_any("export", "--run_dir=~no such user/x", "--export_dir=x")
    assert ended.returncode == 2 and not ended.stdout
    assert ended.stderr == (
        "error: --run_dir=~no such user/x: there is no user 'no such user'; a folder of that name "
        "is ./~no such user\n"
    )


@pytest.mark.parametrize(("words", "command"), commands())
def test_an_unknown_flag_is_one_line_that_names_the_nearest(words, command: Command):
    names = command.parser().flag_names()
    near = names[2][:-1] if len(names) > 2 else "hel"
    ended = run_any(*words, f"--{near}=1")
    assert ended.returncode == 2 and not ended.stdout
    nearest = names[2] if len(names) > 2 else "help"
    assert ended.stderr == f"error: there is no flag --{near}; did you mean --{nearest}?\n"


def test_without_a_command_they_are_listed():
    ended = run_any()
    assert ended.returncode == 0 and not ended.stderr
    for name, (_, line) in COMMANDS.items():
        (shown,) = [x for x in ended.stdout.splitlines() if x.startswith(f"  {name} ")]
        assert shown.endswith(line)
    assert run_any("--help").stdout == ended.stdout


def test_kinds_are_listed_by_the_command_s_help():
    for name in ("prepare", "evaluate", "sample"):
        ended = run(name, "--help")
        assert ended.returncode == 0 and not ended.stderr
        for command in importlib.import_module(COMMANDS[name][0]).COMMAND.kinds:
            assert f"\n  {command.name.split()[1]} " in ended.stdout


def test_an_unknown_command_is_one_line():
    ended = run_any("trian")
    assert ended.returncode == 2
    assert ended.stderr == "error: 'trian' is no command; did you mean train?\n"
    assert "there are configs, prepare, train" in run_any("x").stderr


def test_flags_may_come_before_the_kind():
    ended = run("evaluate", "--run_dir", "nowhere", "gap", "--images=0")
    assert ended.returncode == 2 and ended.stderr == "error: --images=0: give at least 1\n"
    assert "--masking is nothing that gap uses" in run("evaluate", "--masking", "gap").stderr
    assert "nothing was given" in run("evaluate", "--run_dir", "gap").stderr


def test_one_call_leaves_nothing_for_the_next():
    before = {name: absl_flags.FLAGS[name].value for name in absl_flags.FLAGS}
    assert run("train", "--gin_file=nowhere.gin", "--verbosity=1").returncode == 2
    assert {name: absl_flags.FLAGS[name].value for name in before} == before
    assert "no configuration: give --gin_file" in run("train").stderr
    # A flag of absl's that is given twice would be refused in one command line.
    assert "nowhere.gin" in run("train", "--gin_file=nowhere.gin", "--verbosity=1").stderr


def test_nothing_is_defined_for_the_whole_process():
    own = absl_flags.FLAGS.flags_by_module_dict()
    assert not [module for module in own if "robgan_tf" in module]


@pytest.mark.parametrize("start", [["robgan_tf"], ["robgan_tf.train", "--help"]])
def test_help_does_not_wait_for_tensorflow(start):
    """In a process of its own: it is there at once, without anything heavy."""
    code = (
        "import runpy, sys, time\n"
        "began = time.process_time()\n"
        f"sys.argv[1:] = {start[1:]}\n"
        "try:\n"
        f"    runpy.run_module({start[0]!r}, run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'keras', 'numpy', 'PIL'} & set(sys.modules)\n"
        "    print(time.process_time() - began, heavy, file=sys.stderr)\n"
    )
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began < 20
    seconds, heavy = ended.stderr.split(" ", 1)
    assert heavy.strip() == "set()"
    assert float(seconds) < 0.5
    assert ended.stdout.startswith("usage: ")


def test_output_that_nobody_reads_ends_a_command_in_silence():
    process = subprocess.Popen(
        [sys.executable, "-m", "robgan_tf.configs"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141
