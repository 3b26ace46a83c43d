"""Results of a benchmark case as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from robgan_tf.reporting.markdown import table
from robgan_tf.typing import JsonObject


def markdown(name: str, description: str, result: JsonObject) -> str:
    """Renders a case: a table of its variants, then whatever else it found."""
    lines = [f"## {name}", "", description, ""]
    if "rows" in result:
        lines += _table(result["rows"], result["rounds"])
    if "profiles" in result:
        for group in ("by_part", "by_operation"):
            lines += _shares(result["profiles"], group)
    for key, value in result.items():
        if key not in ("rows", "profiles", "all_seconds", "rounds", "machine", "revision"):
            lines.append(f"- {key.replace('_', ' ')}: {_text(value)}")
    return "\n".join([*lines, ""])


def _table(rows: Sequence[JsonObject], rounds: int) -> list[str]:
    cells = []
    for row in rows:
        low, high = row["seconds_range"]
        slow, fast = row["speed_ratio_range"]
        share = f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else ""
        seconds = f"{row['seconds']:.3g} ({low:.3g} to {high:.3g})"
        speed = f"{row['speed_ratio']:.2f} ({slow:.2f} to {fast:.2f})"
        cells.append([row["variant"], seconds, f"{row['images_per_second']:.3g}", speed, share])
    header = ["variant", f"seconds (of {rounds})", "images/s", "speed", "share of peak"]
    return [*table(header, cells), ""]


def _shares(profiles: Mapping[str, JsonObject], group: str) -> list[str]:
    profiles = {name: profile for name, profile in profiles.items() if group in profile}
    found = profiles.values()
    names = dict.fromkeys(name for profile in found for name in profile[group])
    rows = [
        [name, *(f"{x[group][name]:.1%}" if name in x[group] else "" for x in found)]
        for name in names
    ]
    rows.append(["accounted for", *(f"{profile['accounted_for']:.1%}" for profile in found)])
    rows.append(["seconds", *(f"{profile['seconds']:.3g}" for profile in found)])
    return [*table([group.replace("_", " "), *profiles], rows), ""]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
