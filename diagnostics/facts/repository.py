"""Describes the git checkout of the current folder."""

from __future__ import annotations

import os

from diagnostics.facts.deadline import run
from diagnostics.facts.procfs import which
from diagnostics.records import Repository

GIT_SECONDS = 2.0


def describe() -> Repository:
    """Return the commit and whether tracked files differ from it; empty outside a checkout."""
    git = which("git")
    if not git:
        return Repository()
    commit = _ask(git, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return Repository()
    changes = _ask(git, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    return Repository(commit=commit, dirty=bool(changes))


def _ask(git: str, *arguments: str) -> str:
    done = run([git, *arguments], GIT_SECONDS, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
