"""Lookup of run folders on disk: the newest ones, and the one that a user names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RUNS: Final = Path(".vitals", "runs")
"""Where runs lie if nobody says otherwise."""
MARKS: Final = ("records.jsonl", "run.json", "environment.json")
"""Files of which any marks a folder as a run."""


class NoSuchRun(ValueError):
    """Error raised if the named run does not exist; the text lists the existing ones."""


def is_run(folder: Path) -> bool:
    """Return True if the folder holds at least one file that a run writes."""
    return folder.is_dir() and any((folder / mark).is_file() for mark in MARKS)


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether the path is in the folder, links followed: a run of others may hold some that lead out."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that cannot be
        return False


def runs_in(runs_dir: Path) -> list[Path]:
    """Return all run folders, newest first; folder names begin with their time, so names sort by age."""
    try:
        return sorted((p for p in runs_dir.iterdir() if is_run(p)), key=_age, reverse=True)
    except OSError:
        return []


def find_run(asked: str, runs_dir: Path) -> Path:
    """Return the folder named by `asked`: empty or `latest` = the newest, else a path, a folder's name or part of one.

    Raises NoSuchRun, with the newest runs, if there is none or more than one.
    """
    runs = runs_in(runs_dir)
    if asked in ("", "latest"):
        if not runs:
            raise NoSuchRun(
                f"no run found in {runs_dir}; expected a folder with records.jsonl."
                " Run `pytest bench` first, or pass --runs-dir"
            )
        return runs[0]
    path = Path(asked)
    if _is_folder(path):
        if is_run(path):
            return path
        inside = runs_in(path)
        if inside:
            return inside[0]
        raise NoSuchRun(
            f"{asked} is a folder but no run: it has none of {', '.join(MARKS)}{_listing(runs)}"
        )
    matches = [run for run in runs if run.name == asked] or [r for r in runs if asked in r.name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NoSuchRun(
            f"{_shown(asked)} matches {len(matches)} runs; say more of it{_listing(matches)}"
        )
    raise NoSuchRun(f"no run {_shown(asked)} in {runs_dir}{_listing(runs)}")


def _age(folder: Path) -> tuple[str, float]:
    return folder.name, folder.stat().st_mtime


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long for the file system, a NUL byte
        return False


def _shown(asked: str) -> str:
    return repr(asked if len(asked) <= 80 else asked[:79] + "…")


def _listing(runs: list[Path]) -> str:
    if not runs:
        return "; there are no runs yet: `pytest bench` makes one"
    return "; newest runs:\n" + "\n".join(f"  {run.name}" for run in runs[:8])
