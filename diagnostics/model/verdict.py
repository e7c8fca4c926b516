"""Short ways to write a finding about a file."""

from __future__ import annotations

from pathlib import Path

from diagnostics.finding import Evidence, Finding, Fix, Level, Safety


def finding(
    code: str, level: Level, path: Path, summary: str, cause: str = "", *fixes: Fix, value: str = ""
) -> Finding:
    """A finding whose evidence is the file (or `value` in it)."""
    return Finding(
        code=code,
        area="files",
        level=level,
        summary=summary,
        cause=cause,
        evidence=(Evidence(source=str(path), value=value or _size(path)),),
        fixes=fixes,
    )


def again() -> Fix:
    """Fetch the file once more."""
    return look("download, copy or export the file again and compare its size", "replaces it")


def look(line: str, why: str) -> Fix:
    """Something a person has to do."""
    return Fix(argv=(), shell=line, why=why, safety=Safety.MANUAL)


def lfs_pull(path: Path) -> tuple[Fix, ...]:
    """Commands that fetch the real file in place of a pointer."""
    folder = str(path.parent)
    return (
        Fix(argv=("git", "lfs", "install"), why="lets git fetch large files"),
        Fix(
            argv=("git", "-C", folder, "lfs", "pull", "--include", f"**/{path.name}"),
            why="fetches the real file",
        ),
    )


def pip(python: str, *requirements: str, why: str) -> Fix:
    """An upgrade with pip."""
    return Fix(argv=(python, "-m", "pip", "install", "--upgrade", *requirements), why=why)


def _size(path: Path) -> str:
    try:
        return f"{path.stat().st_size:,} bytes"
    except OSError:
        return "size unknown"
