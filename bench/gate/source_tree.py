"""The sources of an arm: a git ref, a folder, or the working tree."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gate.errors import GateError
from bench.gate.worktree import (
    Commit,
    changed_files,
    checkout,
    find_repository,
    resolve_commit,
    uncommitted_files,
)
from suite.import_root import PREFIX, TREE
from suite.worker.version import PROTOCOL

MARK: Final = Path("suite", "spec.py")
"""A file that every source tree of torch-vitals has."""


VERSION_FILE: Final = Path("suite", "worker", "version.py")
"""Where a source tree has its PROTOCOL; trees without it have version 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """The sources of one arm."""

    label: str
    """Shown to users: `main (1a2b3c4 Faster pooling)`."""
    tree: Path
    """Folder whose `suite` is measured."""
    paths: tuple[Path, ...] = ()
    """Folders from which the models file may import."""
    models_from: Path | None = None
    sha: str = ""
    """Of the commit; empty for a folder."""
    changed: tuple[str, ...] = ()
    """Files that differ between the working tree and these sources; empty if unknown."""
    uncommitted: tuple[str, ...] = ()
    """Uncommitted files of the working tree."""

    @property
    def takes_our_instruments(self) -> bool:
        """True if the working tree's instruments fit this tree's `suite`; else the tree brings its own."""
        return _protocol_of(self.tree) == PROTOCOL


def _protocol_of(tree: Path) -> int:
    """Return the tree's version of the worker protocol, without importing it."""
    try:
        text = (tree / VERSION_FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return 1
    found = re.search(r"^PROTOCOL\b[^=]*= *(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 1


def working_tree(models_from: Path | None) -> SourceTree:
    """Return the sources of the working tree."""
    root = None
    if models_from is not None:
        with contextlib.suppress(GateError):  # without git the models file's own folder has to do
            root = find_repository(models_from.parent)
    paths = (Path.cwd(), *(_importable(root) if root else ()))
    return SourceTree(label="working tree", tree=TREE, paths=paths, models_from=models_from)


def _importable(root: Path) -> tuple[Path, ...]:
    """Return the folders of a project from which packages are imported: its root, and `src` if it exists."""
    return (root, *([root / "src"] if (root / "src").is_dir() else []))


@contextmanager
def resolve_base(against: str, models_from: Path | None, started_in: Path) -> Iterator[SourceTree]:
    """Yield the sources that `--against` names; a checkout is removed at the end of the block.

    An empty `against` means the working tree, for another interpreter. Raises GateError naming what is missing.
    """
    if not against:
        yield working_tree(models_from)
        return
    if PREFIX and models_from is None:
        raise GateError(
            f"--against {against}: compares two versions of your own models here, for torch-vitals is installed and has"
            " one version of the built-in ones; expected --models-from FILE beside it"
        )
    folder = (started_in / against).resolve()
    project = find_repository(models_from.parent) if models_from else find_repository(TREE)
    if folder.is_dir() and not _is_ref(project, against):
        root = project or (models_from.parent if models_from else TREE)
        yield _place(folder, root, models_from, label=str(against), asked=against)
        return
    if project is None:
        where = models_from.parent if models_from else TREE
        raise GateError(
            f"--against {against}: no such folder, and {where} lies in no git repository;"
            " expected a folder with the other version, or a git ref of a repository"
        )
    commit = resolve_commit(project, against)
    with checkout(commit) as folder:
        yield _place(
            folder, project, models_from, label=_label(commit), asked=against, commit=commit
        )


def _place(
    folder: Path,
    root: Path,
    models_from: Path | None,
    *,
    label: str,
    asked: str,
    commit: Commit | None = None,
) -> SourceTree:
    """Return the sources in `folder`, which corresponds to `root` of the working tree."""
    has_suite = not PREFIX and (folder / MARK).is_file()  # a user may have a `suite` of their own
    if not has_suite and models_from is None:
        raise GateError(
            f"--against {asked}: holds no {MARK}; expected a source tree of torch-vitals, or with"
            " --models-from a project that holds the same models file"
        )
    if has_suite and _protocol_of(folder) != PROTOCOL and not (folder / "bench").is_dir():
        raise GateError(
            f"--against {asked}: its suite is too old for the instruments of this version, and it has none of its"
            " own; expected a newer version, or a tree with its folder bench"
        )
    own = _counterpart(models_from, root, folder, asked) if models_from else None
    here = Path.cwd()
    paths = [folder / here.relative_to(root)] if here.is_relative_to(root) else [here]
    return SourceTree(
        label=label,
        tree=folder if has_suite else TREE,
        paths=(*paths, *_importable(folder)),
        models_from=own,
        sha=commit.sha if commit else "",
        changed=tuple(changed_files(commit.repository, commit.sha)) if commit else (),
        uncommitted=tuple(uncommitted_files(commit.repository)) if commit else (),
    )


def _counterpart(models_from: Path, root: Path, folder: Path, asked: str) -> Path:
    """Return the models file of the other version; the same file if it is outside of the project."""
    if not models_from.is_relative_to(root):
        return models_from
    inside = models_from.relative_to(root)
    candidates = (folder / inside, folder / models_from.name)
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise GateError(
            f"--models-from {inside}: is not in {asked}; expected the file in both versions."
            " Next: compare with a version that has it, or commit it there first"
        )
    return found


def _is_ref(project: Path | None, against: str) -> bool:
    """True if a word that is also a folder's name is a ref: only without a path separator."""
    if project is None or "/" in against or against.startswith("."):
        return False
    try:
        resolve_commit(project, against)
    except GateError:
        return False
    return True


def _label(commit: Commit) -> str:
    return f"{commit.asked} ({commit.sha[:7]} {commit.subject[:60]})"
