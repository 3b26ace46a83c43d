"""The accelerator check, small and on a CPU: what it records, and that failures stay apart."""

import json

import pytest

from robgan_tf.errors import UserError
from tools.accelerator import reference, sections, training_step
from tools.accelerator.record import Record
from tools.accelerator.report import markdown
from tools.accelerator.runner import run_sections
from tools.accelerator.sections import Options

TINY = Options(base_width=4, attack_batches=(4,), images=20, seconds_per_timing=0.0)


def test_sections_leave_a_record_and_a_failure_stays_apart(tmp_path, monkeypatch):
    def broken(options):
        """A section that fails."""
        raise RuntimeError("no such kernel\nmore about it")

    monkeypatch.setitem(sections.SECTIONS, "step_jit", broken)
    path = tmp_path / "record.json"
    run_sections(["devices", "step_jit", "attack_float32"], TINY, Record(path))
    found = json.loads(path.read_text())["sections"]
    assert found["devices"]["result"]["devices"]
    assert found["step_jit"]["status"] == "failed"
    assert found["step_jit"]["error"] == "RuntimeError: no such kernel"
    assert found["attack_float32"]["result"]["batch_4"]["images_per_second"] > 0
    table = markdown(json.loads(path.read_text()))
    assert "| step_jit |" in table and "**failed**: RuntimeError: no such kernel" in table


def test_no_section_is_begun_after_the_deadline(tmp_path):
    record = Record(tmp_path / "record.json")
    run_sections(["devices"], TINY, record, deadline=0.0)
    assert record.status("devices") == "skipped"
    assert "the time was used up" in markdown(record.content)


def test_a_dead_process_leaves_the_name_of_its_section(tmp_path):
    Record(tmp_path / "record.json").begin("quality")
    assert Record(tmp_path / "record.json").running() == ["quality"]


def test_every_section_is_in_one_group():
    names = [section.__name__ for group in sections.GROUPS.values() for section in group.sections]
    assert sorted(names) == sorted(set(names)) == sorted(sections.SECTIONS)


def test_losses_are_compared_step_by_step():
    expected = [{"a": 0.5, "b": 100.0}, {"a": 0.5, "b": 100.0}, {"a": 0.5, "b": 100.0}]
    near = [{"a": 0.501, "b": 100.1}, {"a": 0.5, "b": 100.5}, {"a": 0.54, "b": 100.0}]
    found = reference.compare(expected, near, "float32")
    assert found["within"]
    assert found["largest_differences"] == pytest.approx([0.001, 0.005, 0.04])
    assert not reference.compare(expected, near[::-1], "float32")["within"]
    worse = [{"a": float("nan"), "b": 100.0}, *near[1:]]
    assert not reference.compare(expected, worse, "bfloat16")["within"]


def test_a_reference_of_another_run_is_refused(tmp_path):
    path = tmp_path / "reference.json"
    reference.write(path, training_step.identity(4), [{"a": 1.0}], {})
    assert reference.read(path, training_step.identity(4)) == [{"a": 1.0}]
    with pytest.raises(UserError, match=r"is of .*'base_width': 4.*, not of .*'base_width': 64"):
        reference.read(path, training_step.identity(64))
