"""Storage of a run: records are appended as they arrive, so that a killed run keeps every finished cell.

<runs>/<time>-<short id>/
    run.json           options and planned steps; `finished_at` is null while it runs or if it was killed
    environment.json   the machine and its software
    records.jsonl      one Record a line, appended
    onnx/  logs/       graphs; the output of every worker
    report.html
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from suite.record import Record


class StoreError(ValueError):
    """Error raised if a run folder is missing or invalid; shown to the user without a traceback."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @classmethod
    def create(cls, runs: Path, *, now: datetime | None = None) -> Self:
        """Create an empty run folder below `runs`; raise StoreError if it cannot be written."""
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%d-%H%M%S")
        folder = cls(runs / f"{stamp}-{secrets.token_hex(2)}")
        try:
            for part in (folder.onnx, folder.logs):
                part.mkdir(parents=True)
        except OSError as error:
            raise StoreError(
                f"--out {runs}: cannot be written ({error.strerror}); name another folder with --out"
            ) from error
        return folder

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def onnx(self) -> Path:
        """Folder for graphs."""
        return self.path / "onnx"

    @property
    def logs(self) -> Path:
        """Folder for workers' output."""
        return self.path / "logs"

    @property
    def records_file(self) -> Path:
        """Append-only file of results."""
        return self.path / "records.jsonl"

    def append(self, record: Record) -> None:
        """Write the record as one line with a single write, then sync it to disk."""
        line = (json.dumps(record.as_dict()) + "\n").encode()
        descriptor = os.open(self.records_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the previous run was killed in the middle of a line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Write `name` atomically."""
        text = json.dumps(data, indent=1)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path, prefix=f".{name}-", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(self.path / name)
