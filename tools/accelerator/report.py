"""The record of a check as Markdown."""

from typing import Any

from robgan_tf.reporting.markdown import table
from tools.accelerator.record import DONE


def markdown(content: dict) -> str:
    """Renders what `Record.content` holds."""
    rows = []
    for name, entry in content["sections"].items():
        seconds = entry.get("seconds")
        if entry["status"] == DONE:
            text = _found(entry["result"])
        else:
            text = f"**{entry['status']}**: {entry.get('error', 'the process was ended')}"
        shown = "" if seconds is None else f"{seconds:.1f}"
        rows.append([name, shown, text])
    lines = table(["section", "seconds", "what it found"], rows)
    return "\n".join([*lines, "", *_ratio(content["sections"]), ""])


def _found(result: dict) -> str:
    parts = []
    for name, value in result.items():
        if name in ("first_losses", "first_record", "last_record"):
            continue
        parts.append(f"{name.replace('_', ' ')} {_text(value)}")
    return "; ".join(parts)


def _ratio(sections: dict) -> list[str]:
    """What determinism costs, where both were measured."""
    lines = []
    pairs = (("step_deterministic", "step_tf32"), ("step_deterministic_bfloat16", "step_bfloat16"))
    for slow, fast in pairs:
        entries = [sections.get(name, {}) for name in (slow, fast)]
        if all(entry.get("status") == DONE for entry in entries):
            seconds = [entry["result"]["seconds_per_step"] for entry in entries]
            lines.append(f"- {slow} takes {seconds[0] / seconds[1]:.2f} times as long as {fast}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_text(item)}" for name, item in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
