"""Outputs of a finished run: report.html, the CI job's summary, and the entry in the history.

They are written in a process of their own: templates, SQLAlchemy and Alembic would raise the memory of the pytest
process by a third (24 of 78 MB after a run of one tiny model).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from suite.import_root import python_path

PAGE: Final = "report.html"


def write_outputs_apart(folder: Path, store: str) -> str:
    """Call `write_outputs` in a new process; in this one if that fails, so that its errors are raised here."""
    command = [sys.executable, "-P", "-m", "bench.run_outputs", str(folder), store]
    with contextlib.suppress(OSError, ValueError):
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": python_path()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode == 0:
            return str(json.loads(done.stdout))
    return write_outputs(folder, store)


def write_outputs(folder: Path, store: str) -> str:
    """Write the outputs of the run in `folder`; returns what happened in the history `store`, as a sentence.

    An empty `store` is not written. A failure of the history is only reported: the run folder has all data. Raises
    OSError if the page cannot be written.
    """
    from bench.report.html import write_html
    from bench.report.markdown import to_markdown
    from bench.summary.build import build_report
    from suite.runs.load import load_run

    report = build_report(load_run(folder))
    write_html(report, folder / PAGE)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with contextlib.suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
            file.write(to_markdown(report))
    return _record(folder, store) if store else ""


def _record(folder: Path, store: str) -> str:
    from bench.history.errors import HistoryError
    from bench.history.recording import record_run

    try:
        return record_run(folder, store).sentence
    except HistoryError as error:
        return str(error)


def main(arguments: Sequence[str]) -> int:
    """Write the outputs of the run folder `arguments[0]` and print the history's sentence as JSON."""
    print(json.dumps(write_outputs(Path(arguments[0]), arguments[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
