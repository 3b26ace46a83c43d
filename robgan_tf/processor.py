"""What Linux says of the machine's processor."""

import pathlib

CPU_INFO = pathlib.Path("/proc/cpuinfo")
# Flags for multiplying bfloat16; conversions alone (avx_ne_convert) do not help.
_BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")


def model_name() -> str | None:
    """The processor's name; None where the system does not tell."""
    return _first_processor().get("model name")


def bfloat16_instructions() -> list[str]:
    """Flags of the instructions for products of bfloat16; empty where there are none."""
    flags = _first_processor().get("flags", "").split()
    return [flag for flag in _BFLOAT16_FLAGS if flag in flags]


def _first_processor() -> dict[str, str]:
    """What is said of the first one, by name; empty outside Linux."""
    if not CPU_INFO.exists():
        return {}
    first = CPU_INFO.read_text().partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
