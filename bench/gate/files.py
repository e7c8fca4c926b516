"""The files of a gate: verdict.json, .md and .html in its folder, and the CI job's summary."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bench.gate.document import to_json
from bench.gate.errors import GateError
from bench.gate.html import to_html
from bench.gate.markdown import to_markdown
from bench.gate.outcome import Gate
from diagnostics.atomic_write import write_whole

LATEST = "latest.txt"
"""Name of the file that holds the newest gate's folder name, for scripts."""


def write_files(gate: Gate, folder: Path) -> None:
    """Write the files atomically, and append the Markdown to GITHUB_STEP_SUMMARY if that is set.

    Raises GateError if they cannot be written.
    """
    text = to_markdown(gate)
    try:
        write_whole(folder / "verdict.json", to_json(gate))
        write_whole(folder / "verdict.md", text)
        write_whole(folder / "verdict.html", to_html(gate))
        write_whole(folder.parent / LATEST, f"{folder.name}\n")
    except OSError as error:
        raise GateError(
            f"{folder}: cannot be written ({error.strerror}); free some disk space or name"
            " another folder with --out"
        ) from error
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with contextlib.suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
