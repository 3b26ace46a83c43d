"""Bad input to every command: one line that says what was wrong, status 2, and nothing written."""

import pathlib
import shutil

import numpy as np
import pytest

from tests import in_process, tiny

# What every line begins with, of commands that need more than the flag that is wrong.
TRAIN = "train --gin_file={gin}"
FINETUNE = "finetune --gin_file={gin} --gin_param=finetune.steps=1"
GAP = "evaluate gap"
ROBUSTNESS = "evaluate robustness --run_dir={joint} --output_dir={new}"
CORRUPTIONS = "evaluate corruptions --run_dir={joint} --output_dir={new}"
QUALITY = "evaluate quality --run_dir={joint} --output_dir={new}"
STORED = "evaluate quality --gin_file={gin} --output_dir={new} --features=pixels"
MODEL = "evaluate robustness --gin_file={gin} --output_dir={new}"
SHEET = "sample sheet --run_dir={joint} --output_dir={new}"
IMAGES = "sample images --run_dir={joint} --output_dir={new}"
WAY = "sample interpolation --run_dir={joint} --output_dir={new}"
NEAR = "sample neighbours --run_dir={joint} --output_dir={new}"
COMPARE = "compare --output_dir={new}"

# The command line, words apart by |, and what its one line says.
CASES = [
    # No command, no flag, no value.
    ("trian", "'trian' is no command; did you mean train?"),
    ("evaluate", "what to do? nothing was given; choose"),
    ("evaluate|robustnes", "'robustnes' does not exist; choose"),
    ("sample|sheets", "'sheets' does not exist; choose"),
    ("configs|surplus", "unexpected argument 'surplus'"),
    ("configs|--run_dir=x", "there is no flag --run_dir"),
    ("train", "no configuration: give --gin_file"),
    ("finetune", "no configuration: give --gin_file"),
    ("launch", "what to launch? nothing was given; give train or finetune"),
    ("launch|--workers|2|sample", "'sample' is nothing to launch"),
    ("prepare", "what to do? nothing was given; choose"),
    ("prepare folder", "what to prepare, and where to? give --source"),
    (GAP, "give --run_dir"),
    ("evaluate robustness", "give either --run_dir or --model"),
    ("evaluate quality", "give --run_dir or --generated, and --features"),
    ("sample sheet", "what to sample from? give --run_dir"),
    ("export", "give --run_dir and --export_dir"),
    ("serve_check", "give --export_dir"),
    ("serve_check --export_dir={folder}", "which server? give --rest"),
    ("compare", "give --run, repeatedly, and --output_dir"),
    ("pack", "what to pack? give --run_dir"),
    ("record", "give --run_dir and --output_dir"),
    ("report", "report of which run? give --run_dir"),
    ("report --run_dir={nowhere}", "is neither a run directory"),
    ("reproduce --table=7 --out={new}", "--table=7 does not exist; choose one of 1"),
    ("reproduce", "give --table or --figure, and --out"),
    ("download_inception", "where to? give --output_dir"),
    (TRAIN + "|--run_dir", "--run_dir needs a value"),
    (TRAIN + "|--dry_run=perhaps", "--dry_run=perhaps: give true or false"),
    (TRAIN + "|--no_dry_run", "there is no flag --no_dry_run; did you mean --"),
    (SHEET + "|--colums=3", "there is no flag --colums; did you mean --columns?"),
    (SHEET + "|--num_images=3", "--num_images is nothing that sheet uses: leave it out"),
    ("configs|--stderrthreshold=x", "--stderrthreshold must be one of"),
    # Numbers.
    (GAP + "|--images=0", "--images=0: give at least 1"),
    (GAP + "|--images=-3", "--images=-3: give at least 1"),
    (GAP + "|--images=1.5", "--images=1.5: not a whole number"),
    (GAP + "|--images=", "--images=: not a whole number"),
    (GAP + "|--images=nan", "--images=nan: not a whole number"),
    (IMAGES + "|--num_images=1e3", "--num_images=1e3: not a whole number"),
    (IMAGES + "|--seed=99999999999999999999", "give a whole number from 0 to 9223372036854775807"),
    (IMAGES + "|--seed=" + "9" * 5000, "--seed="),
    (IMAGES + "|--truncation=0", "--truncation=0: give a bound above 0"),
    (IMAGES + "|--truncation=inf", "--truncation=inf: give a bound above 0"),
    (IMAGES + "|--truncation=nan", "--truncation=nan: give a bound above 0"),
    (IMAGES + "|--truncation=much", "--truncation=much: not a number"),
    (IMAGES + "|--format=jpeg", "--format=jpeg does not exist; choose one of png, npz"),
    (WAY + "|--frames=99999999999999999999", "give at most 9007199254740992"),
    (WAY + "|--frames=1", "--frames=1: give at least 2"),
    (WAY + "|--between=seeds", "--between=seeds does not exist; choose one of latents, classes"),
    (NEAR + "|--features=pixels|--neighbours=0", "--neighbours=0: give at least 1"),
    (ROBUSTNESS + "|--epsilons=0", "give radii above 0"),
    (ROBUSTNESS + "|--epsilons=-8/255", "'-8/255' is no radius"),
    (ROBUSTNESS + "|--epsilons=nan", "is no radius"),
    (ROBUSTNESS + "|--epsilons=inf", "is no radius"),
    (ROBUSTNESS + "|--epsilons=8/256", "'8/256' is no radius"),
    (ROBUSTNESS + "|--epsilons=", "give radii above 0"),
    (ROBUSTNESS + "|--attack=pdg", "--attack=pdg: 'pdg' does not exist; choose one of"),
    (ROBUSTNESS + "|--norm=l7", "--norm=l7: 'l7' does not exist; choose one of"),
    (ROBUSTNESS + "|--split=tset", "--split=tset does not exist; choose one of test, train"),
    (MODEL + "|--model={folder}|--input_range=1", "--input_range: give two numbers"),
    (MODEL + "|--model={folder}|--input_range=1,0", "give the lower value first"),
    (MODEL + "|--model={folder}|--input_mean=a", "--input_mean=a: not a list of numbers"),
    (MODEL + "|--model={folder}|--input_deviation=0", "cannot be divided by"),
    ("record --run_dir={joint} --output_dir={new}|--seconds_per_step=-1", "--seconds_per_step=-1"),
    (COMPARE + "|--run={joint}|--measure=fid|--reach=nan", "--reach=nan: not a number"),
    (TRAIN + "|--gin_param=train.steps=0", "train.steps = 0 is too low"),
    (TRAIN + "|--gin_param=train.seed=True", "train.seed = True is a bool"),
    (TRAIN + "|--gin_param=train.log_every=1e999", "inf is a float; it takes a whole number"),
    (ROBUSTNESS + "|--name=" + "x" * 300, "the path is too long"),
    (QUALITY + "|--features=pixels|--name=../other", "give the name of a file, without /"),
    (ROBUSTNESS + "|--name=", "--name=: give the name of a file"),
    # Paths.
    (TRAIN + "|--gin_file={nowhere}", "gin file {nowhere} does not exist"),
    (TRAIN + "|--gin_file={folder}", "gin file {folder} does not exist"),
    (TRAIN + "|--gin_file={garbage}", "codec can't decode byte"),
    (TRAIN + "|--gin_file=", "--gin_file=: there is nothing behind the ="),
    (IMAGES + "|--output_dir= ", "--output_dir= : there is nothing behind the ="),
    (TRAIN + "|--run_dir={garbage}", "is a file; give a directory"),
    (TRAIN + "|--run_dir={folder}", "is not empty and holds no run"),
    (TRAIN + "|--run_dir=gs://bucket/run", "an address is no path; copy it to a disk here"),
    (TRAIN + "|--run_dir=~nobody at all/x", "there is no user 'nobody at all'"),
    (TRAIN + "|--run_dir=a\0b", "the path has a control character"),
    (TRAIN + "|--run_dir=a\nb", "--run_dir='a\\nb': the path has a control character"),
    (TRAIN + "|--run_dir=\udcff", "--run_dir='\\udcff': the path is not in UTF-8"),
    (TRAIN + "|--run_dir=" + "x/" * 3000, "the path is too long"),
    (TRAIN + "|--warm_start={garbage}", "{garbage}"),
    (TRAIN + "|--features={nowhere}.py", "{nowhere}.py"),
    (FINETUNE + "|--gan_run_dir={nowhere}", "{nowhere} holds no run"),
    (FINETUNE + "|--gan_run_dir={tuned}", "is a run of finetune, not of joint training"),
    (FINETUNE + "|--gan_run_dir={joint}|--gan_checkpoint=99", "no checkpoint of step 99"),
    (FINETUNE + "|--gan_run_dir={damaged}", "cannot be read"),
    (GAP + "|--run_dir={nowhere}", "{nowhere} has no checkpoint"),
    (GAP + "|--run_dir={archive}", "{archive} is an archive"),
    (ROBUSTNESS + "|--run_dir={joint}", "is given twice"),
    (ROBUSTNESS + "|--model={folder}", "give either --run_dir or --model"),
    (ROBUSTNESS + "|--checkpoint=best", "has no best checkpoint"),
    (ROBUSTNESS + "|--gin_file={gin}", "--gin_file is of --model, and a run has its own"),
    (MODEL + "|--model={nowhere}", "model {nowhere} does not exist"),
    (MODEL + "|--model={garbage}", "model {garbage} cannot be loaded"),
    (MODEL + "|--model={garbage}.keras", "model {garbage}.keras cannot be loaded"),
    (MODEL + "|--model={folder}|--data={npz}", "--gin_file is not of --data: leave it out"),
    (MODEL + "|--model={folder}|--class_names=a,b", "--class_names is of --data: leave it out"),
    (ROBUSTNESS + "|--data={npz}|--split=test", "--split is not of --data: leave it out"),
    (ROBUSTNESS + "|--data={nowhere}", "the images {nowhere} do not exist"),
    (ROBUSTNESS + "|--data={garbage}", "{garbage} cannot be used"),
    (ROBUSTNESS + "|--data={pickled}", "pickled objects, which are programs and not read"),
    (ROBUSTNESS + "|--data={npz}", "does not take images of shape (16, 16, 3)"),
    (ROBUSTNESS + "|--data={npz}|--class_names=a", "labels are from 0 to 1; classes are 0 to 0"),
    (MODEL + "|--model={nowhere}.onnx", "model {nowhere}.onnx does not exist"),
    (MODEL + "|--model={nowhere}.py:f", "the Python file {nowhere}.py of the model does not exist"),
    (MODEL + "|--model={program}", "which function of {program}? Give {program}:FUNCTION"),
    (MODEL + "|--model={program}:f", "{program} cannot be imported: ZeroDivisionError"),
    (MODEL + "|--model={folder}", "model {folder} cannot be loaded"),
    (MODEL + "|--model={folder}|--checkpoint=last", "--checkpoint is of --run_dir"),
    ("evaluate robustness --model={folder}", "--model needs --gin_file or --data"),
    (QUALITY, "and --features"),
    (QUALITY + "|--features=classifier:", "the classifier of which run?"),
    (QUALITY + "|--features=classifier:{folder}", "{folder} holds no run"),
    (QUALITY + "|--features=inception2015:{nowhere}", "the Inception graph {nowhere} does not ex"),
    (QUALITY + "|--features=inception2015:{garbage}", "{garbage}"),
    (QUALITY + "|--features={program}:features", "{program} cannot be imported"),
    (QUALITY + "|--features={program}", "which function of {program}?"),
    (QUALITY + "|--features={nowhere}", "the extractor {nowhere} does not exist"),
    (QUALITY + "|--features=pixels|--generated={npz}", "give --run_dir or --generated"),
    (QUALITY + "|--features=pixels|--extension={program}", "cannot be run: ZeroDivisionError"),
    (QUALITY + "|--features=pixels|--extension={nowhere}", "No such file or directory"),
    (STORED + "|--generated={nowhere}", "generated images {nowhere} do not exist"),
    (STORED + "|--generated={garbage}", "cannot be read as npz"),
    (STORED + "|--generated={pickled}", "pickled objects, which are programs and not read"),
    (STORED + "|--generated={npz}", "`image` is uint8 [2, 16, 16, 3], and uint8 [N, H, W, 1]"),
    (STORED + "|--generated={empty}", "has neither class folders nor image files"),
    (SHEET + "|--classes=11", "11"),
    (SHEET + "|--classes=-1", "-1"),
    (SHEET + "|--classes=ünïcode", "ünïcode"),
    (SHEET + "|--checkpoint=first", "no checkpoint of step first"),
    (SHEET + "|--checkpoint=", "--checkpoint=: there is nothing behind the ="),
    ("sample sheet --run_dir={tuned}", "is a run of finetune"),
    ("sample images --run_dir={garbage}", "{garbage} holds no run"),
    ("sample images --run_dir={archive}", "cannot be unpacked"),
    ("sample images --run_dir={damaged}", "cannot be read"),
    (NEAR, "nearest by what? give --features"),
    ("export --run_dir={nowhere} --export_dir={new}", "{nowhere} holds no run"),
    ("export --run_dir={joint} --export_dir={garbage}", "{garbage}"),
    ("export --run_dir={joint} --export_dir={new}|--version=0", "--version=0: give at least 1"),
    ("serve_check --export_dir={nowhere} --rest=localhost:9", "{nowhere} holds no exported model"),
    ("serve_check --export_dir={folder} --rest=localhost:9", "{folder} holds no exported model"),
    (COMPARE + "|--run={nowhere}|--measure=fid", "{nowhere}"),
    (COMPARE + "|--run={garbage}|--measure=fid", "{garbage}"),
    (COMPARE + "|--run={joint}|--measure=no such", "no such"),
    (COMPARE + "|--run={joint}", "compare what? give --measure"),
    (COMPARE + "|--run={joint}|--measure=loss|--reach=1|--reach=2", "one score for each --measure"),
    ("compare --card={nowhere}|--card={joint}/config.json", "the card {nowhere} does not exist"),
    ("compare --card={joint}/config.json|--card={nowhere}", "config.json is no card of version 1"),
    ("compare --card={garbage}", "--card: give two of them at least"),
    ("compare --card={garbage}|--card={garbage}", "{garbage} cannot be read"),
    ("compare --card={garbage}|--run={joint}", "--run is of runs, and not of cards"),
    ("evaluate corruptions", "give either --run_dir or --model"),
    (CORRUPTIONS, "on what images? give --data_dir"),
    (CORRUPTIONS + "|--data_dir={nowhere}", "--data_dir={nowhere}: there is no such folder"),
    (CORRUPTIONS + "|--data_dir={folder}", "{folder} holds no corrupted images"),
    (CORRUPTIONS + "|--data_dir={folder}|--input_range=0,1", "--input_range is of --model"),
    ("evaluate corruptions --model={folder}|--data_dir={folder}", "give --output_dir"),
    ("pack --run_dir={joint}|--output=run.zip", "an archive's name ends in .tar.gz"),
    ("pack --run_dir={joint}|--output={archive}", "exists already and is kept"),
    ("pack --run_dir={folder}", "{folder} holds no run"),
    ("record --run_dir={nowhere} --output_dir={new}", "{nowhere}"),
    ("record --run_dir={folder} --output_dir={new}", "{folder}"),
    ("record --run_dir={joint} --output_dir={garbage}", "--output_dir={garbage} cannot be used"),
    ("sample sheet --run_dir={joint}|--output_dir={garbage}", "{garbage}"),
    (ROBUSTNESS + "|--output_dir={garbage}|--images=1|--nomasking", "{garbage}"),
    (QUALITY + "|--output_dir={garbage}|--features=pixels|--num_images=20", "{garbage}"),
    (SHEET + "|--classes=a\nb", "no list of one line, such as a,b"),
    ("export --run_dir={joint} --export_dir={new}|--format=a\nb", "--format=a\\nb does not exist"),
    (
        "finetune --gin_file={gin} --gan_run_dir={joint}|--gan_checkpoint=\x1b[2J",
        "step \\x1b[2J under",
    ),
    ("download_inception --output_dir={new}|--url=nothing", "nothing is no URL"),
    ("download_inception --output_dir={new}|--url=http://127.0.0.1:9/x", "cannot download"),
    ("download_inception --output_dir={graph}", "should have"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory, trained, tuned):
    """What the names in braces stand for."""
    root = tmp_path_factory.mktemp("bad")
    (root / "tiny.gin").write_text("\n".join(tiny.BINDINGS) + "\n")
    for name in ("folder", "empty", "graph"):
        (root / name).mkdir()
    (root / "folder" / "thesis.txt").write_text("years of work")
    garbage = bytes(np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8))
    for name in ("garbage", "garbage.keras", "graph/classify_image_graph_def.pb"):
        (root / name).write_bytes(garbage)
    (root / "run.tar.gz").write_bytes(b"\x1f\x8b\x08" + garbage)
    (root / "program.py").write_text("1 / 0\n")
    np.savez(root / "rgb.npz", image=np.zeros([2, 16, 16, 3], np.uint8), label=[0, 1])
    np.savez(root / "pickled.npz", image=np.array([object()]), label=[0])
    shutil.copytree(trained, root / "damaged")
    (root / "damaged" / "config.json").write_text('{"train.steps": ')
    return {
        "root": root,
        "joint": trained,
        "tuned": tuned,
        "damaged": root / "damaged",
        "gin": root / "tiny.gin",
        "folder": root / "folder",
        "empty": root / "empty",
        "graph": root / "graph",
        "garbage": root / "garbage",
        "archive": root / "run.tar.gz",
        "program": root / "program.py",
        "npz": root / "rgb.npz",
        "pickled": root / "pickled.npz",
        "nowhere": root / "nowhere",
        "new": root / "new",
    }


def contents(places):
    """Every file there is, and its size."""
    roots = [pathlib.Path(places[name]) for name in ("root", "joint", "tuned")]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    return {path: path.stat().st_size for path in files}


@pytest.fixture
def untouched(places):
    """Nothing is written, replaced or removed by a command that refuses what it was given."""
    before = contents(places)
    yield
    for path in contents(places).keys() - before.keys():
        # The directory that training was about to use may be claimed.
        assert path.name in ("lock", "ran") or "new" in path.parts, path
    assert {path: size for path, size in contents(places).items() if path in before} == before


@pytest.mark.parametrize(("line", "message"), CASES)
def test_one_line_says_what_was_wrong(line, message, places, untouched, tmp_path, monkeypatch):
    monkeypatch.setattr(in_process, "ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    command, *flags = line.split("|")
    words = [word.format_map(places) for word in [*command.split(), *flags]]
    ended = in_process.run_any(*words)
    assert ended.returncode == 2, ended
    (said,) = ended.stderr.splitlines()
    assert said.startswith("error: ") and message.format_map(places) in said
    assert len(said) < 1000


def test_there_are_lines_of_every_command():
    commands = {line.split("|")[0].split()[0] for line, _ in CASES}
    assert len(CASES) >= 60 and commands >= set(in_process.COMMANDS)
