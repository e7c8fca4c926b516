"""Storage of a run: records are appended as they arrive, so that a killed run keeps every finished cell.

<runs>/<time>-<short id>/
    run.json           options and planned steps; `finished_at` is null while it runs or if it was killed
    environment.json   the machine and its software
    records.jsonl      one Record a line, appended
    onnx/  logs/       graphs; the output of every worker
    report.html
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from diagnostics.atomic_write import is_abandoned_draft, write_whole
from suite.record import Record
from suite.scratch_folder import PARTIAL, remove_abandoned

try:
    import fcntl
except ImportError:  # Windows, where one process writes to a run
    fcntl = None  # type: ignore[assignment]


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

    def append(self, record: Record, *, syncs: bool = True) -> None:
        """Add the record as one line; raise OSError, with the file as it was, if it does not fit.

        The line survives the process at once, and with `syncs` the machine, too, as do those before it.
        """
        line = (json.dumps(record.as_dict()) + "\n").encode()
        descriptor = os.open(self.records_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _hold(descriptor)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # the previous run was killed in the middle of a line
            if (written := os.write(descriptor, line)) < len(
                line
            ):  # the disk is full: a part fitted
                _take_back(descriptor, written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.records_file))
            if syncs:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Wait until the records are on the disk, if there are any."""
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(self.records_file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def clear_drafts(self) -> None:
        """Remove what killed processes had begun to write beside the run's files."""
        for path in self.path.rglob(".*"):
            if is_abandoned_draft(path):
                path.unlink(missing_ok=True)
            elif path.name.startswith(PARTIAL):
                remove_abandoned(path.parent, PARTIAL)

    def write_json(self, name: str, data: Mapping[str, Any]) -> None:
        """Write `name` atomically; raise OSError, leaving nothing of it, if it cannot be written."""
        write_whole(self.path / name, json.dumps(data, indent=1))


def _hold(descriptor: int) -> None:
    """Wait until no other process writes to the file, and keep them away until it is closed."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _take_back(descriptor: int, num_bytes: int) -> None:
    """Cut off the bytes that were written last."""
    os.ftruncate(descriptor, os.fstat(descriptor).st_size - num_bytes)
