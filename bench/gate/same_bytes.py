"""Whether a change can reach what is measured: if not, there is nothing to measure, and a gate ends at once.

Both arms run in one interpreter with the same instruments; what can differ is the tree's `suite` and the files of the
user's project. A file counts as reaching unless it surely does not: documentation, tests, and Python files that nothing
imports. Data files always count, since a model may read any of them, and so does every Python file if one imports by
names that only a run knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from bench.gate.source_tree import SourceTree, importable
from suite.origins.reference import Reference
from suite.source_files import files_read_by, imports_by_name
from suite.worker.job_options import Origin

SUITE: Final = "suite"
NEVER_READ: Final = (".md", ".rst")
FOLDERS_APART: Final = ("docs", ".github", "__pycache__")


def files_that_differ(
    base: SourceTree, head: SourceTree, origins: Mapping[str, Origin]
) -> list[str] | None:
    """Return the files whose content differs between the arms and that a measured cell may read; None if unknown.

    Of a user's project only a commit says what differs: a folder may hold an environment or results beside the sources.
    """
    found = []
    if base.tree.resolve() != head.tree.resolve():
        found += _differing(base.tree / SUITE, head.tree / SUITE, _reaches_suite)
    own = [*([head.models_from] if head.models_from else []), *_files_named(origins)]
    if not own:
        return found
    if base.moved is None or not base.sha:
        return None
    project, other = base.moved[0].resolve(), base.moved[1]
    read = {path for file in own for path in _read_of(file, importable(project))}
    if any(not path.is_relative_to(project) for path in read):
        return None
    names = {path.relative_to(project).as_posix() for path in read}
    # By content, not by what git tells: it says nothing of files that it ignores, and base may lack them.
    differing = {name for name in names if not _same(other / name, project / name)}
    reads_any = any(path.suffix == ".py" and imports_by_name(path) for path in read)
    changed = {name for name in base.changed if _reaches_user(name, names, reads_any=reads_any)}
    return [*found, *sorted(differing | changed)]


def _read_of(path: Path, roots: Sequence[Path]) -> list[Path]:
    """Return the files that a file or folder of the user's consists of and imports."""
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    return files_read_by(path, roots)


def _files_named(origins: Mapping[str, Origin]) -> Iterator[Path]:
    """Yield the files of the user's that `--models` names."""
    for origin in origins.values():
        kind, _, target = origin.text.partition(":")
        path = Reference(kind=kind, target=target).path
        if path is not None and path.exists():
            yield path.resolve()


def _reaches_suite(name: str) -> bool:
    place = PurePosixPath(name)
    return not (_is_test(place) or _is_apart(place))


def _reaches_user(name: str, read: set[str], *, reads_any: bool) -> bool:
    place = PurePosixPath(name)
    if name in read:
        return True
    return not _is_apart(place) and (place.suffix != ".py" or (reads_any and not _is_test(place)))


def _is_test(place: PurePosixPath) -> bool:
    return place.name.startswith("test_")


def _is_apart(place: PurePosixPath) -> bool:
    return place.suffix in NEVER_READ or any(part in FOLDERS_APART for part in place.parts)


def _differing(base: Path, head: Path, reaches: Callable[[str], bool]) -> list[str]:
    """Return the names below both folders that reach a cell and are not the same bytes in both, sorted."""
    names = sorted({name for folder in (base, head) for name in _names(folder) if reaches(name)})
    return [name for name in names if not _same(base / name, head / name)]


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:  # it is missing in one of them
        return False
