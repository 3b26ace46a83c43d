"""What is read of the processor."""

import pytest

from robgan_tf import processor


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("fpu avx2 avx_ne_convert", []),
        ("fpu avx512f avx512_bf16", ["avx512_bf16"]),
        ("avx512_bf16 amx_bf16 amx_int8", ["amx_bf16", "avx512_bf16"]),
    ],
)
def test_bfloat16_instructions_of_the_processor(tmp_path, monkeypatch, flags, found):
    path = tmp_path / "cpuinfo"
    path.write_text(f"model name\t: A processor\nflags\t\t: {flags}\n\nflags\t: amx_bf16\n")
    monkeypatch.setattr(processor, "CPU_INFO", path)
    assert processor.bfloat16_instructions() == found
    assert processor.model_name() == "A processor"


def test_a_machine_that_says_nothing_of_its_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "none")
    assert processor.bfloat16_instructions() == []
    assert processor.model_name() is None
