"""Results of a benchmark case as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    lines = [
        f"| variant | seconds (of {rounds}) | images/s | speed | share of peak |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["seconds_range"]
        slow, fast = row["speed_ratio_range"]
        share = f"{row['share_of_peak']:.0%}" if "share_of_peak" in row else ""
        lines.append(
            f"| {row['variant']} | {row['seconds']:.3g} ({low:.3g} to {high:.3g}) "
            f"| {row['images_per_second']:.3g} "
            f"| {row['speed_ratio']:.2f} ({slow:.2f} to {fast:.2f}) | {share} |"
        )
    return [*lines, ""]


def _shares(profiles: Mapping[str, JsonObject], group: str) -> list[str]:
    lines = [
        f"| {group.replace('_', ' ')} | {' | '.join(profiles)} |",
        f"|---|{'---|' * len(profiles)}",
    ]
    names = dict.fromkeys(name for profile in profiles.values() for name in profile[group])
    for name in names:
        shares = (f"{profile[group].get(name, 0.0):.1%}" for profile in profiles.values())
        lines.append(f"| {name} | {' | '.join(shares)} |")
    accounted = (f"{profile['accounted_for']:.1%}" for profile in profiles.values())
    seconds = (f"{profile['seconds']:.3g}" for profile in profiles.values())
    lines.append(f"| accounted for | {' | '.join(accounted)} |")
    lines.append(f"| seconds | {' | '.join(seconds)} |")
    return [*lines, ""]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)
