"""docs/reference/gin_files.md, from the headings of the gin files."""

import pathlib

from robgan_tf.config import shipped
from robgan_tf.reporting.markdown import table

INTRODUCTION = """# Gin files

Every shipped configuration with its purpose, from the comment at its head. A file of `gin/` is
complete: a data set and its resolution. A file of a folder below is an overlay: give it as a
further `--gin_file`, after the one it is laid over. Later files win over earlier ones, and
`--gin_param` over all. Written by `python -m tools.reference_docs`.
"""
TITLES = {
    "gin": "A data set and its resolution",
    "gin/attacks": "The attack of training",
    "gin/baselines": "Baselines and published settings",
    "gin/experiments": "What the recorded experiments lay over",
    "gin/finetune": "Stage 2 and its baselines, for `finetune`",
    "gin/layers": "How the kernels of D are normalized",
    "gin/losses": "The loss",
    "gin/reproduce": "What `reproduce` runs; each describes runs, and is no configuration itself",
}


def text() -> str:
    """Returns the whole page.

    Raises:
      KeyError: if a folder of gin files has no title here.
    """
    sections: dict[str, list[tuple[str, str]]] = {}
    for path, purpose in shipped.headings():
        folder = pathlib.PurePosixPath(path).parent.as_posix()
        sections.setdefault(folder, []).append((f"`{path}`", purpose))
    parts = [INTRODUCTION]
    for folder, rows in sections.items():
        lines = table(["file", "purpose"], rows)
        parts.append("\n".join([f"## {TITLES[folder]}: `{folder}/`", "", *lines, ""]))
    return "\n".join(parts)
