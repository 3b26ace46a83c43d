"""The record of a check: on disk after every section, whatever ends the process."""

import json
import pathlib
from typing import Any

RUNNING = "running"
DONE = "done"
FAILED = "failed"
SKIPPED = "skipped"


class Record:
    """Sections and what became of each, in a JSON file that is rewritten at every change.

    Args:
      path: of the file; what it holds already is kept.
    """

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)
        self.content: dict[str, Any] = {"options": {}, "sections": {}}
        if self._path.exists():
            self.content = json.loads(self._path.read_text())

    def status(self, name: str) -> str | None:
        """What became of a section so far; None if it has not been begun."""
        return self.content["sections"].get(name, {}).get("status")

    def options(self, options: dict) -> None:
        """Notes what was asked for."""
        self.content["options"] = options
        self._save()

    def begin(self, name: str) -> None:
        """Notes that a section runs, so that a process that dies in it leaves its name."""
        self._set(name, {"status": RUNNING})

    def done(self, name: str, seconds: float, result: dict) -> None:
        """Notes what a section found."""
        self._set(name, {"status": DONE, "seconds": seconds, "result": result})

    def failed(self, name: str, seconds: float | None, why: str) -> None:
        """Notes that a section found nothing, and why."""
        self._set(name, {"status": FAILED, "seconds": seconds, "error": why})

    def skipped(self, name: str, why: str) -> None:
        """Notes that a section was not begun."""
        self._set(name, {"status": SKIPPED, "error": why})

    def running(self) -> list[str]:
        """Sections begun and not ended: those that a dead process was in."""
        return [name for name in self.content["sections"] if self.status(name) == RUNNING]

    def _set(self, name: str, entry: dict) -> None:
        self.content["sections"][name] = entry
        self._save()

    def _save(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.content, indent=1) + "\n")
        temporary.replace(self._path)
