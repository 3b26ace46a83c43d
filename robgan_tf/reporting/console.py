"""Plain text for people at a console."""

import math


def format_duration(seconds: float) -> str:
    """Writes a duration, rounded to whole seconds.

    Args:
      seconds: finite, at least 0.

    Returns:
      "45 s" below a minute, "1:02:03" (h:mm:ss) below a day, "2 d 01:02:03" above.

    Raises:
      ValueError: if the duration is negative or not finite.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"a duration must be finite and at least 0 seconds, not {seconds}")
    minutes, whole_seconds = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{whole_seconds} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days == 0:
        return f"{hours}:{minutes:02}:{whole_seconds:02}"
    return f"{days} d {hours:02}:{minutes:02}:{whole_seconds:02}"
