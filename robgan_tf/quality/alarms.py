"""Alarms for what goes wrong unseen in a GAN: collapse, a saturated D, classes that mean nothing.

They read what `watching.quality` has measured, by name, and know nothing of models.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from robgan_tf.config.groups import AlarmSettings
from robgan_tf.typing import JsonObject

ALARM_PREFIX = "alarm/"  # of their names in metrics.jsonl
# One of these is in every record that alarms were looked for in.
_MEASURED = {"realness/real", "diversity/mean"}


def alarms_seen(records: Iterable[JsonObject]) -> JsonObject:
    """Which alarms a run has raised.

    Args:
      records: of its metrics.jsonl, in the order of steps.

    Returns:
      Dict: "measurements", how often they were looked for, and "alarms", a dict from the name of
      each that was raised to how often ("times") and to the "first_step" and "last_step" of it.
    """
    measurements = [record for record in records if _MEASURED & record.keys()]
    alarms: dict[str, JsonObject] = {}
    for record in measurements:
        for name in record:
            if name.startswith(ALARM_PREFIX):
                step = record["step"]
                seen = alarms.setdefault(
                    name.removeprefix(ALARM_PREFIX),
                    {"times": 0, "first_step": step, "last_step": step},
                )
                seen["times"] += 1
                seen["last_step"] = step
    return {"measurements": len(measurements), "alarms": alarms}


def collapse_alarms(
    values: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
    thresholds: AlarmSettings,
    num_classes: int,
    held_out: int,
) -> dict[str, str]:
    """Looks for the signs of a run that fails.

    Args:
      values: dict from name to number: what was measured now.
      history: dicts of what was measured before.
      thresholds: AlarmSettings.
      num_classes: of the class head; 0 without one.
      held_out: how many images accuracies were measured on.

    Returns:
      Dict from the name of an alarm to one line that says what was seen; empty for a run in which
      nothing was.
    """
    alarms = {
        "diversity": _diversity(values, thresholds.diversity),
        "repetition": _repetition(values, thresholds.diversity),
        "similarity": _similarity(values, thresholds.diversity),
        "saturation": _saturation(values, thresholds.saturation),
        "worsening": _worsening(values, history, thresholds.worsening),
    }
    if num_classes > 1:
        alarms["classes"] = _classes(values, num_classes, held_out)
    return {name: line for name, line in alarms.items() if line}


def _diversity(values: Mapping[str, float], least: float) -> str | None:
    share = values.get("diversity/worst_class")
    if share is not None and share < least:
        return (
            f"the images of one class of G differ {share:.2f} times as much as real ones "
            f"(all classes: {values['diversity/mean']:.2f}): G has collapsed there"
        )
    return None


def _repetition(values: Mapping[str, float], least: float) -> str | None:
    share = values.get("diversity/nearest_worst_class")
    if share is not None and share < least:
        return (
            f"the images of one class of G are {share:.2f} times as far from the nearest other as "
            f"real ones (all classes: {values['diversity/nearest_mean']:.2f}): G repeats a few"
        )
    return None


def _similarity(values: Mapping[str, float], least: float) -> str | None:
    fake, real = (values.get(f"ms_ssim/worst_class_{kind}") for kind in ("generated", "real"))
    if fake is not None and real is not None and 1.0 - fake < least * (1.0 - real):
        return (
            f"the images of one class of G look alike: MS-SSIM {fake:.2f}, {real:.2f} of real ones"
        )
    return None


def _saturation(values: Mapping[str, float], most: float) -> str | None:
    """Silent where the source loss knows no certainty, since D never stops learning from it."""
    real, fake = values.get("realness/real"), values.get("realness/fake")
    if real is None or fake is None:
        return None
    right = (("real", real), ("generated", 1.0 - fake))
    wins = [(name, value) for name, value in right if value >= most]
    if not wins:
        return None
    certain = " and ".join(f"{name} images as {name} with {value:.3f}" for name, value in wins)
    return f"D is saturated, it knows {certain}: it learns nothing more from them"


def _classes(values: Mapping[str, float], num_classes: int, held_out: int) -> str | None:
    chance = 1.0 / num_classes
    limit = chance + 3.0 * math.sqrt(chance * (1.0 - chance) / held_out)
    real, fake = values.get("accuracy_class/held_out"), values.get("accuracy_class/generated")
    if real is not None and real <= limit:
        return (
            f"D's class accuracy on held-out real images is {real:.1%}, chance is {chance:.1%}: "
            "do the labels belong to the images?"
        )
    if fake is not None and fake <= limit:
        return (
            f"D finds the class G was asked for in {fake:.1%} of its images, chance is "
            f"{chance:.1%}: G ignores classes"
        )
    return None


def _worsening(
    values: Mapping[str, float], history: Sequence[Mapping[str, float]], factor: float
) -> str | None:
    for name, value in values.items():
        if not name.startswith("fid/"):
            continue
        before = [record[name] for record in history if name in record]
        if before and value > factor * min(before):
            return (
                f"{name} is {value:.4g}, {value / min(before):.1f} times its best so far "
                f"({min(before):.4g})"
            )
    return None
