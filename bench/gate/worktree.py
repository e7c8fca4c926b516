"""A git ref checked out in a temporary folder that is always removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gate.errors import GateError

PREFIX: Final = "vitals-base-"
"""Prefix of the names of checkout folders; the process id follows."""
ARM_PREFIX: Final = "vitals-arm-"
"""Prefix of the names of arms' import folders; the process id follows."""
DEADLINE: Final = 120.0
"""Seconds that git may take; a checkout of a large repository from a cold disk takes tens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The commit of a ref."""

    repository: Path
    """Its root folder."""
    asked: str
    sha: str
    subject: str


def find_repository(folder: Path) -> Path | None:
    """Return the root of the git repository that contains `folder`, or None. Raises GateError without git."""
    done = _git(folder, "rev-parse", "--show-toplevel")
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def resolve_commit(repository: Path, ref: str) -> Commit:
    """Return the commit that `ref` names. Raises GateError with the next step if there is none."""
    if ref.startswith("-"):
        raise GateError(f"--against {ref}: expected a git ref, a folder, or HEAD")
    done = _git(
        repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if done.returncode:
        raise GateError(
            f"--against {ref}: no such folder and no such git ref{_hint(repository, ref)}"
        )
    sha = done.stdout.strip()
    subject = _git(repository, "log", "-1", "--format=%s", sha).stdout.strip()
    return Commit(repository=repository, asked=ref, sha=sha, subject=subject)


def changed_files(repository: Path, sha: str) -> list[str]:
    """Return the files of the working tree that differ from the commit, untracked ones included."""
    known = _git(repository, "diff", "--name-only", sha).stdout.splitlines()
    new = _git(repository, "ls-files", "--others", "--exclude-standard").stdout.splitlines()
    return sorted({*known, *new})


def uncommitted_files(repository: Path) -> list[str]:
    """Return the files of the working tree that differ from HEAD."""
    lines = _git(
        repository, "status", "--porcelain", "--untracked-files=normal"
    ).stdout.splitlines()
    return [line[3:] for line in lines]


@contextmanager
def checkout(commit: Commit) -> Iterator[Path]:
    """Check the commit out in a temporary folder; it and git's worktree entry are removed at the end of the block."""
    remove_stale_checkouts(commit.repository)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    tree = folder / "tree"
    try:
        done = _git(commit.repository, "worktree", "add", "--detach", str(tree), commit.sha)
        if done.returncode:
            raise GateError(
                f"--against {commit.asked}: git could not check it out: {_last(done.stderr)};"
                " next: free some disk space, or name a folder that holds that version"
            )
        yield tree
    finally:
        _remove(commit.repository, folder, tree)


def remove_stale_checkouts(repository: Path) -> list[Path]:
    """Remove the folders that killed runs left behind, and return them."""
    gone = []
    for folder in Path(tempfile.gettempdir()).glob(f"{ARM_PREFIX}*"):
        number = folder.name.removeprefix(ARM_PREFIX).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(folder, ignore_errors=True)  # links to sources, never the sources
            gone.append(folder)
    done = _git(repository, "worktree", "list", "--porcelain")
    for line in done.stdout.splitlines():
        tree = Path(line.removeprefix("worktree "))
        name = tree.parent.name
        if not line.startswith("worktree ") or not name.startswith(PREFIX):
            continue
        number = name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            _remove(repository, tree.parent, tree)
            gone.append(tree.parent)
    return gone


def _remove(repository: Path, folder: Path, tree: Path) -> None:
    with contextlib.suppress(GateError):
        _git(repository, "worktree", "remove", "--force", str(tree))
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(GateError):
        _git(repository, "worktree", "prune")


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _hint(repository: Path, ref: str) -> str:
    if (_git(repository, "rev-parse", "--is-shallow-repository").stdout.strip()) == "true":
        return (
            " in this shallow clone; next: git fetch --unshallow"
            " (GitHub Actions: actions/checkout with fetch-depth: 0)"
        )
    names = _git(
        repository,
        "for-each-ref",
        "--format=%(refname:short)",
        "refs/heads",
        "refs/remotes",
        "refs/tags",
    ).stdout.split()
    remote = [name for name in names if name.endswith(f"/{ref}")]
    if remote:
        return f"; did you mean {remote[0]}?"
    shown = ", ".join(names[:8])
    return f"; known: HEAD{', ' if shown else ''}{shown}. Next: git fetch, or check the spelling"


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(folder), *arguments]
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    # A hook sets these for the repository that it runs in; ours is named by -C.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        quiet.pop(name, None)
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=quiet,
            check=False,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise GateError(
            "--against: git is not installed; install it, or name a folder that holds the other version"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise GateError(
            f"--against: `{' '.join(command)}` did not answer in {DEADLINE:g} s"
        ) from error


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
