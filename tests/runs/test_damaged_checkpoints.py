"""A checkpoint is whole or absent: damage, interruptions, left-overs, and what is kept."""

import json
import os
import pathlib
import re
import shutil

import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.runs import checkpoint_folder, checkpoints
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.checkpoints import Checkpoints, checkpoint_of_step, kept_steps


class Run:
    """A value that is a function of the step, and its checkpoints."""

    def __init__(self, path, keep=3, **others):
        self.path = path / "checkpoints"
        self.said = []
        self.value = tf.Variable(tf.zeros([100]))
        self.checkpoints = Checkpoints(
            self.path,
            {"value": self.value},
            keep,
            marker=path / "saved.json",
            say=self.said.append,
            **others,
        )

    def save(self, *steps):
        for step in steps:
            self.value.assign(tf.range(100.0) + step)
            self.checkpoints.save(step)
        return self

    def restored(self, **arguments):
        step = self.checkpoints.restore_latest(**arguments)
        tf.debugging.assert_equal(self.value, tf.range(100.0) + step if step else tf.zeros([100]))
        return step


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def whole(*steps):
    endings = ("data-00000-of-00001", "index", "json")
    return sorted(["checkpoint", *(f"step-{step}.{end}" for step in steps for end in endings)])


@pytest.mark.parametrize("harm", [truncate, flip_a_bit, empty, remove])
@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index", "json"])
@pytest.mark.parametrize("by", ["this version", "the version before"])
def test_a_damaged_newest_is_named_and_set_aside_and_the_one_before_used(
    tmp_path, harm, ending, by
):
    run = Run(tmp_path).save(5, 10)
    if by == "the version before":
        for path in run.path.glob("*.json"):
            path.unlink()
        if ending == "json":
            return
    harm(run.path / f"step-10.{ending}")
    again = Run(tmp_path)
    if (harm, ending) == (remove, "json"):
        # It says no more than TensorFlow's own checksums do.
        assert (again.restored(), again.said) == (10, [])
        return
    assert again.restored() == 5
    (line,) = [line for line in again.said if line.startswith("WARNING")]
    assert "checkpoint step-10 is damaged (" in line and "goes on from step-5" in line
    assert "\n" not in line
    assert set(names(run.path / "damaged" / "step-10")) <= {*whole(10)}
    assert tf.train.latest_checkpoint(str(run.path)) == str(run.path / "step-5")
    again.save(10)
    assert (Run(tmp_path).restored(), again.said[2:]) == (10, [])


@pytest.mark.parametrize(
    "harm",
    [
        empty,
        remove,
        lambda path: path.write_text("?"),
        lambda path: path.write_bytes(b"\0" * 100),
        lambda path: path.write_text('model_checkpoint_path: "../elsewhere/step-99"\n'),
        lambda path: path.write_text('model_checkpoint_path: "step-5"\n'),
    ],
)
def test_tensorflow_s_note_of_the_newest_is_not_believed_and_mended(tmp_path, harm):
    run = Run(tmp_path).save(5, 10)
    harm(run.path / "checkpoint")
    again = Run(tmp_path)
    assert again.restored() == 10
    assert again.said == [f"{run.path}/checkpoint did not say what is there: written anew"]
    state = tf.train.get_checkpoint_state(str(run.path))
    assert [os.path.basename(x) for x in state.all_model_checkpoint_paths] == ["step-5", "step-10"]
    assert tf.train.latest_checkpoint(str(run.path)) == str(run.path / "step-10")


def damage_all(path):
    for data in path.glob("*.data*"):
        truncate(data)


def delete_all(path):
    shutil.rmtree(path)


def empty_folder(path):
    delete_all(path)
    path.mkdir()


def without_indexes(path):
    for index in path.glob("*.index"):
        index.unlink()


def every_fault(path):
    truncate(path / "step-15.data-00000-of-00001")
    flip_a_bit(path / "step-10.index")
    remove(path / "step-5.index")
    (path / "checkpoint").write_text("?")


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (delete_all, r"holds no checkpoint, and the run has saved some \(saved.json\)"),
        (empty_folder, r"holds no checkpoint, and the run has saved some \(saved.json\)"),
        (
            damage_all,
            r"no checkpoint under .* can be read \(step-15: step-15.data\S+ has 674",
        ),
        (without_indexes, r"no checkpoint under .* can be read \(step-15: its index is missing; "),
        (every_fault, r"no checkpoint under .* can be read \(step-15: .*; step-10: .*; step-5: "),
    ],
)
def test_nothing_is_trained_over_a_run_whose_checkpoints_are_lost(tmp_path, harm, line):
    run = Run(tmp_path).save(5, 10, 15)
    harm(run.path)
    before = names(run.path) if run.path.exists() else None
    for _ in range(2):
        again = Run(tmp_path)
        with pytest.raises(UserError, match=line) as error:
            again.restored()
        assert "\n" not in str(error.value) and "nothing is trained over" in str(error.value)
        # Also what cannot be read may be of use to somebody.
        assert (names(run.path) if run.path.exists() else None) == before


class Killed(BaseException):
    """Ends a process where it is raised: nothing of this package catches it."""


def interrupt(monkeypatch, operations, at):
    """Lets so many file operations happen, and ends the process at the next one."""
    done = []

    def counted(module, name):
        real = getattr(module, name)

        def call(*arguments, **named):
            if len(done) == at:
                raise Killed
            done.append(name)
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    for module, name in operations:
        counted(module, name)
    # A killed process removes nothing behind it.
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **named: None)
    return done


OPERATIONS = [
    (checkpoint_folder, "flush_to_disk"),
    (checkpoint_folder, "write_atomically"),
    (checkpoints, "first_difference"),
    (checkpoints, "write_atomically"),
    (pathlib.Path, "rename"),
    (pathlib.Path, "unlink"),
]


@pytest.mark.parametrize("saved", [(), (5,), (5, 10)])
def test_killed_at_any_operation_of_a_save_a_run_goes_on_and_nothing_is_left(tmp_path, saved):
    """Between any two operations on files, in the first save as in any other."""
    for at in range(100):
        folder = tmp_path / f"{len(saved)}_{at}"
        folder.mkdir()
        run = Run(folder, keep=2).save(*saved)
        with pytest.MonkeyPatch.context() as patched:
            done = interrupt(patched, OPERATIONS, at)
            try:
                run.save(15)
                break
            except Killed:
                pass
        again = Run(folder, keep=2)
        found = again.restored()
        assert found in {15, max(saved, default=0)}, done
        if found == 15:
            assert names(run.path) == whole(*[*saved, 15][-2:]), done
        assert not [line for line in again.said if "WARNING" in line], (done, again.said)
        assert all(checkpoint_of_step(run.path, str(step)) for step in kept_steps(run.path))
        again.save(15)
        assert names(run.path) == whole(*[*saved, 15][-2:]), done
    assert at > 10


def test_left_overs_of_tensorflow_and_of_this_package_are_removed(tmp_path):
    run = Run(tmp_path).save(5)
    (run.path / "step-6_temp").mkdir()
    (run.path / "step-6_temp" / "part-00000-of-00001.data-00000-of-00001").write_text("?")
    (run.path / ".saving").mkdir()
    for name in (
        "step-6.index.tempstate1234567890123456789",
        "checkpoint.tmp0123456789abcdef0123456789abcdef",
    ):
        (run.path / name).write_text("?")
    (run.path / "notes.txt").write_text("mine")
    assert Run(tmp_path).restored() == 5
    assert names(run.path) == sorted([*whole(5), "notes.txt"])


def test_what_is_read_back_different_is_not_kept(tmp_path, monkeypatch):
    run = Run(tmp_path).save(5)
    write = run.checkpoints._checkpoint.write

    def faulty_memory(prefix):
        right = run.value.numpy()
        run.value.assign(right * 2)
        written = write(prefix)
        run.value.assign(right)
        return written

    monkeypatch.setattr(run.checkpoints._checkpoint, "write", faulty_memory)
    with pytest.raises(UserError, match="step 10 was written, and value read back is another"):
        run.save(10)

    def faulty_disk(prefix):
        written = write(prefix)
        flip_a_bit(pathlib.Path(f"{prefix}.data-00000-of-00001"))
        return written

    monkeypatch.setattr(run.checkpoints._checkpoint, "write", faulty_disk)
    with pytest.raises(UserError, match="step 10 was written, and it cannot be read back"):
        run.save(10)
    assert names(run.path) == whole(5)


def test_the_bytes_are_a_function_of_what_is_saved(tmp_path):
    """Not of how often a run was interrupted: TensorFlow's counter of saves is the step."""
    one, two = Run(tmp_path / "one").save(5, 10), Run(tmp_path / "two").save(1, 2, 3, 5, 10)
    readers = [tf.train.load_checkpoint(run.checkpoints.latest) for run in (one, two)]
    tensors = [
        {x: reader.get_tensor(x) for x in reader.get_variable_to_shape_map() if "VARIABLE" in x}
        for reader in readers
    ]
    assert set(tensors[0]) == set(tensors[1])
    assert all((tensors[0][name] == tensors[1][name]).all() for name in tensors[0])


def test_lost_records_are_made_again_where_an_older_checkpoint_allows(tmp_path):
    def restored(*steps):
        run = Run(tmp_path)
        step = run.restored(lost=lambda newest: [x for x in steps if x <= newest])
        return step, run.said

    Run(tmp_path).save(5, 10, 15)
    again = "training goes on from step-10, which makes them again"
    never = "no checkpoint is old enough to make them again"
    assert restored(13, 14, 16) == (10, [f"WARNING: 2 records of step 13 to 14 are lost: {again}"])
    assert restored(10)[0] == 5
    assert restored(2, 5) == (15, [f"WARNING: 2 records of step 2 to 5 are lost: {never}"])
    assert [restored(5, 11)[0], *restored(5, 11)[1]] == [
        10,
        f"WARNING: 1 records of step 11 are lost: {again}",
        f"WARNING: 1 records of step 5 are lost: {never}",
    ]
    assert restored(16) == (15, [])
    # What is reached again is there already.
    Run(tmp_path).save(15)
    assert kept_steps(tmp_path / "checkpoints") == [5, 10, 15]


def test_one_that_is_kept_for_good_is_too_old_to_make_records_again(tmp_path):
    run = Run(tmp_path, keep=1, keep_every_hours=1.0).save(5, 10, 15)
    assert kept_steps(run.path) == [5, 15]
    assert Run(tmp_path, keep=1, keep_every_hours=1.0).restored(lost=lambda _: [7]) == 15


def test_the_one_just_saved_is_kept_beside_newer_ones(tmp_path):
    Run(tmp_path, keep=1).save(5, 10)
    again = Run(tmp_path, keep=1).save(7)
    assert kept_steps(again.path) == [7, 10]
    again.save(10, 12)
    assert kept_steps(again.path) == [12]


def test_one_of_every_so_many_hours_stays(tmp_path):
    run = Run(tmp_path, keep=2, keep_every_hours=3.0)
    for hour in range(1, 12):
        run.save(hour)
        record = run.path / f"step-{hour}.json"
        stored = json.loads(record.read_text())
        stored["saved"] = f"2026-01-01T{hour:02d}:00:00+00:00"
        record.write_text(json.dumps(stored))
    assert kept_steps(run.path) == [1, 4, 7, 10, 11]


def test_few_damaged_ones_are_kept(tmp_path):
    run = Run(tmp_path, keep=5).save(1, 2, 3, 4, 5)
    for step in (2, 3, 4, 5):
        truncate(run.path / f"step-{step}.index")
    (run.path / "damaged" / "mine").mkdir(parents=True)
    assert Run(tmp_path).restored() == 1
    assert len(names(run.path / "damaged")) == 3
    assert (run.path / "damaged" / "mine").exists()


def test_readers_refuse_a_damaged_one_and_change_nothing(tmp_path):
    run = Run(tmp_path).save(5, 10)
    flip_a_bit(run.path / "step-10.data-00000-of-00001")
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    message = r"step-10 is damaged: .* is not what was saved \(SHA-256\)"
    with pytest.raises(UserError, match=rf"{message}; step-5 can be read \(--checkpoint\)"):
        checkpoint_of_step(run.path)
    with pytest.raises(UserError, match=message):
        checkpoint_of_step(run.path, "10")
    assert checkpoint_of_step(run.path, "5") == str(run.path / "step-5")
    truncate(run.path / "step-5.index")
    with pytest.raises(UserError, match="no other can be read"):
        checkpoint_of_step(run.path)
    assert set(run.path.iterdir()) == set(before)


def test_readers_do_not_see_what_is_being_published(tmp_path):
    run = Run(tmp_path).save(5, 10)
    (run.path / ".saving").mkdir()
    (run.path / "step-10.index").rename(run.path / ".saving" / "step-10.index")
    assert checkpoint_of_step(run.path).endswith("step-5")


def test_a_reader_looks_again_where_training_removes_what_it_looks_at(tmp_path, monkeypatch):
    run = Run(tmp_path, keep=1).save(5)
    look = checkpoint_folder.CheckpointFolder.fault

    def slow(folder, step):
        if step == 5:
            monkeypatch.undo()
            run.save(10)
        return look(folder, step)

    monkeypatch.setattr(checkpoint_folder.CheckpointFolder, "fault", slow)
    assert checkpoint_of_step(run.path).endswith("step-10")


@pytest.mark.parametrize("by", ["this version", "the version before"])
def test_what_cannot_be_looked_at_is_not_taken_for_damaged(tmp_path, monkeypatch, by):
    run = Run(tmp_path).save(5, 10)
    if by == "the version before":
        (run.path / "step-10.json").unlink()
    before = names(run.path)
    read, load = pathlib.Path.read_text, tf.train.load_checkpoint

    def read_text(path, *arguments, **named):
        if path.name == "step-10.json":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **named)

    def load_checkpoint(prefix):
        if prefix.endswith("step-10"):
            raise tf.errors.OpError(None, None, f"{prefix}.index; Too many open files", 2)
        return load(prefix)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "read_text", read_text)
        patched.setattr(tf.train, "load_checkpoint", load_checkpoint)
        with pytest.raises((PermissionError, tf.errors.OpError)):
            Run(tmp_path).restored()
    assert names(run.path) == before
    assert Run(tmp_path).restored() == 10


def test_no_memory_to_restore_with_is_no_mistake_of_the_user(tmp_path, monkeypatch):
    run = Run(tmp_path).save(5)

    def restore(self, path):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(tf.train.Checkpoint, "restore", restore)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        run.restored()
    with pytest.raises(tf.errors.ResourceExhaustedError):
        checkpoints.load_weights(str(run.path / "step-5"), {"value": run.value})


def best_of(tmp_path, said):
    value = tf.Variable(0.0)
    best = BestCheckpoint(tmp_path / "best", {"value": value}, say=said.append)
    newest = Checkpoints(tmp_path / "newest", {"value": value, **best.objects()}, 2)
    return value, best, newest


@pytest.mark.parametrize("harm", [truncate, flip_a_bit, empty, remove])
def test_a_damaged_best_is_named_and_chosen_anew(tmp_path, harm):
    said = []
    value, best, newest = best_of(tmp_path, said)
    for step, measured in ((1, 0.9), (2, 0.5)):
        value.assign(step)
        best.offer(measured, step)
    newest.save(2)
    harm(tmp_path / "best" / "step-1.index")
    value, best, newest = best_of(tmp_path, said)
    assert newest.restore_latest() == 2
    best.check()
    assert re.search(r"the best checkpoint, step-1, is damaged \(.*\) and was moved", said[0])
    assert "no best checkpoint of step 1 any more (0.9); the best is chosen anew" in said[1]
    best.offer(0.6, 3)
    assert (float(best.value), int(best.step)) == (0.6, 3)
    assert kept_steps(tmp_path / "best") == [3]


def test_of_two_best_that_a_kill_has_left_the_newer_stays(tmp_path):
    _, best, newest = best_of(tmp_path, [])
    best.offer(0.9, 1)
    newest.save(2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint_folder.CheckpointFolder, "thin", lambda *arguments: None)
        best.offer(0.95, 3)
    assert kept_steps(tmp_path / "best") == [1, 3]
    _, best, newest = best_of(tmp_path, [])
    newest.restore_latest()
    best.check()
    assert kept_steps(tmp_path / "best") == [3]


def test_a_whole_best_is_left_alone(tmp_path):
    said = []
    _, best, newest = best_of(tmp_path, said)
    best.offer(0.9, 1)
    newest.save(2)
    _, best, newest = best_of(tmp_path, said)
    newest.restore_latest()
    best.check()
    assert (said, float(best.value), int(best.step)) == ([], 0.9, 1)
