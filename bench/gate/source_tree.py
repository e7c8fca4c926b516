"""The sources of an arm: a git ref, a folder, or the working tree."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from suite.origins.reference import Reference
from suite.worker.job_options import Origin
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
    moved: tuple[Path, Path] | None = None
    """Folder of the working tree's project, and the one that stands for it here; None for the working tree."""
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


def working_tree(models_from: Path | None, file: Path | None = None) -> SourceTree:
    """Return the sources of the working tree."""
    root, own = None, models_from or file
    if own is not None:
        with contextlib.suppress(GateError):  # without git the file's own folder has to do
            root = find_repository(own.parent)
    paths = (Path.cwd(), *(importable(root) if root else ()))
    return SourceTree(label="working tree", tree=TREE, paths=paths, models_from=models_from)


def importable(root: Path) -> tuple[Path, ...]:
    """Return the folders of a project from which packages are imported: its root, and `src` if it exists."""
    return (root, *([root / "src"] if (root / "src").is_dir() else []))


@contextmanager
def resolve_base(
    against: str, models_from: Path | None, started_in: Path, *, file: Path | None = None
) -> Iterator[SourceTree]:
    """Yield the sources that `--against` names; a checkout is removed at the end of the block.

    `file` is a file or saved folder of the user's that `--models` names; it says, as `models_from` does, which project
    is compared. An empty `against` means the working tree, for another interpreter. Raises GateError naming what is
    missing.
    """
    if not against:
        yield working_tree(models_from, file)
        return
    own = models_from or file
    if PREFIX and own is None:
        raise GateError(
            f"--against {against}: compares two versions of your own models here, for torch-vitals is installed and has"
            " one version of the built-in ones; expected --models-from FILE, or --models FILE.py:build or FILE.onnx,"
            " beside it"
        )
    folder = (started_in / against).resolve()
    project = find_repository(own.parent) if own else find_repository(TREE)
    if folder.is_dir() and not _is_ref(project, against):
        root = project or (own.parent if own else TREE)
        yield _place(folder, root, models_from, label=str(against), asked=against, file=file)
        return
    if project is None:
        where = own.parent if own else TREE
        raise GateError(
            f"--against {against}: no such folder, and {where} lies in no git repository;"
            " expected a folder with the other version, or a git ref of a repository"
        )
    commit = resolve_commit(project, against)
    with checkout(commit) as folder:
        yield _place(
            folder,
            project,
            models_from,
            label=_label(commit),
            asked=against,
            commit=commit,
            file=file,
        )


def _place(
    folder: Path,
    root: Path,
    models_from: Path | None,
    *,
    label: str,
    asked: str,
    commit: Commit | None = None,
    file: Path | None = None,
) -> SourceTree:
    """Return the sources in `folder`, which corresponds to `root` of the working tree."""
    has_suite = not PREFIX and (folder / MARK).is_file()  # a user may have a `suite` of their own
    if not has_suite and models_from is None and file is None:
        raise GateError(
            f"--against {asked}: holds no {MARK}; expected a source tree of torch-vitals, or with"
            " --models-from a project that holds the same models file"
        )
    if has_suite and _protocol_of(folder) != PROTOCOL and not (folder / "bench").is_dir():
        raise GateError(
            f"--against {asked}: its suite is too old for the instruments of this version, and it has none of its"
            " own; expected a newer version, or a tree with its folder bench"
        )
    own = (
        _counterpart(models_from, root, folder, asked, option="--models-from")
        if models_from
        else None
    )
    here = Path.cwd()
    paths = [folder / here.relative_to(root)] if here.is_relative_to(root) else [here]
    return SourceTree(
        label=label,
        tree=folder if has_suite else TREE,
        paths=(*paths, *importable(folder)),
        models_from=own,
        moved=(root, folder),
        sha=commit.sha if commit else "",
        changed=tuple(changed_files(commit.repository, commit.sha)) if commit else (),
        uncommitted=tuple(uncommitted_files(commit.repository)) if commit else (),
    )


def origins_in(sources: SourceTree, origins: Mapping[str, Origin]) -> dict[str, Origin]:
    """Return the origins with each file or folder of the project as it is in these sources; raise GateError if it is
    not there.
    """
    if sources.moved is None:
        return dict(origins)
    found = {}
    for name, origin in origins.items():
        kind, _, target = origin.text.partition(":")
        path = Reference(kind=kind, target=target).path
        if path is not None and path.exists():
            there = _counterpart(path, *sources.moved, sources.label, option="--models")
            origin = replace(origin, text=f"{kind}:{there}{target.removeprefix(str(path))}")
        found[name] = origin
    return found


def _counterpart(models_from: Path, root: Path, folder: Path, asked: str, *, option: str) -> Path:
    """Return the user's file of the other version; the same file if it is outside of the project."""
    if not models_from.is_relative_to(root):
        return models_from
    inside = models_from.relative_to(root)
    candidates = (folder / inside, folder / models_from.name)
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise GateError(
            f"{option} {inside}: is not in {asked}; expected the file in both versions."
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
