"""The source tree that nodes import: staged for Ray's runtime environment, and its version."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from suite.import_root import PREFIX, TREE

PACKAGES: Final = ("bench", "diagnostics", "suite")
SKIPPED: Final = ("__pycache__", "*.pyc", ".*")


def stage_tree(folder: Path) -> Path:
    """Copy these packages, and nothing of what lies beside them, into `folder`; return it.

    From a checkout the three packages; from a wheel the one that holds them.
    """
    top = TREE.parent if PREFIX else TREE
    return _copied(top, (TREE.name,) if PREFIX else PACKAGES, folder)


def _copied(top: Path, names: Sequence[str], folder: Path) -> Path:
    for name in names:
        shutil.copytree(
            top / name, folder / name, ignore=shutil.ignore_patterns(*SKIPPED), dirs_exist_ok=True
        )
    return folder


def packed_tree(top: Path, folder: Path) -> Path:
    """Return an archive in `folder` of the packages of another source tree, the same bytes for the same files."""
    names = [name for name in PACKAGES if (top / name).is_dir()]
    staged = _copied(top, names, folder / "staged")
    archive = folder / "base.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(staged.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(staged).as_posix())
                file.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive


def version_of(tree: Path) -> str:
    """Return 12 hex digits over the source files of the packages in `tree`: equal on driver and nodes."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((tree / package).rglob("*.py")):
            digest.update(path.relative_to(tree).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
