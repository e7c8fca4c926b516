"""Builders of findings about a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diagnostics.finding import Evidence, Finding, Fix, Level, Safety


def finding(
    code: str, level: Level, path: Path, summary: str, cause: str = "", *fixes: Fix, value: str = ""
) -> Finding:
    """Return a finding whose evidence is the file (or `value` in it)."""
    return Finding(
        code=code,
        area="files",
        level=level,
        summary=summary,
        cause=cause,
        evidence=(Evidence(source=str(path), value=value or _size(path)),),
        fixes=fixes,
    )


def checked(found: Finding, **notes: str) -> Finding:
    """Return the finding with what was checked, so that it promises no more."""
    more = tuple(Evidence(source=k.replace("_", " "), value=v) for k, v in notes.items() if v)
    return replace(found, evidence=(*found.evidence, *more))


def again() -> Fix:
    """Return the advice to fetch the file once more."""
    return look("download, copy or export the file again and compare its size", "replaces it")


def look(line: str, why: str) -> Fix:
    """Return something that a person has to do."""
    return Fix(argv=(), shell=line, why=why, safety=Safety.MANUAL)


def lfs_pull(path: Path) -> tuple[Fix, ...]:
    """Return commands that fetch the real file in place of a pointer."""
    folder = str(path.parent)
    return (
        Fix(argv=("git", "lfs", "install"), why="lets git fetch large files"),
        Fix(
            argv=("git", "-C", folder, "lfs", "pull", "--include", f"**/{path.name}"),
            why="fetches the real file",
        ),
    )


def pip(python: str, *requirements: str, why: str) -> Fix:
    """Return an upgrade with pip."""
    return Fix(argv=(python, "-m", "pip", "install", "--upgrade", *requirements), why=why)


def _size(path: Path) -> str:
    try:
        return f"{path.stat().st_size:,} bytes"
    except OSError:
        return "size unknown"
