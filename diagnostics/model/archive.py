"""Reads zip archives: checkpoints, exported programs (.pt2), TorchScript, model archives (.mar)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHECKED_BYTES = 32 * 2**20
"""Members up to this size are read, which checks their sum; larger ones only by their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The verdict on one archive."""

    names: tuple[str, ...] = ()
    problem: str = ""
    """Empty when all is well."""

    @property
    def form(self) -> str:
        """What the members show: a key of FORMS."""
        # torch puts everything below one folder named after the file.
        bare = {name.partition("/")[2] or name for name in self.names}
        every = bare | set(self.names)
        for form, marks in FORMS.items():
            if any(name.endswith(marks) for name in every):
                return form
        return "checkpoint" if "data.pkl" in bare else "other"


FORMS: dict[str, tuple[str, ...]] = {
    "program": ("archive_format", "serialized_exported_program.json", "models/model.json"),
    "mar": ("MAR-INF/MANIFEST.json",),
    "lite": ("bytecode.pkl",),
    "torchscript": ("constants.pkl",),
    "keras": ("model.weights.h5",),
    "arrays": (".npy",),
}
"""Kind of archive -> endings of member names that only it has."""


def read(path: Path) -> Archive:
    """Return the verdict on a zip file; reads its index and the small members. Never raises for bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            names = tuple(info.filename for info in infos)
            problem = _duplicate(names) or _damage(archive, infos)
    # zipfile raises the last two for a compression that it does not know and for encryption.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        return Archive(problem=f"its index cannot be read ({error}): it is cut off or damaged")
    return Archive(names=names, problem=problem)


def _duplicate(names: tuple[str, ...]) -> str:
    return "" if len(set(names)) == len(names) else "it holds one name twice"


def _damage(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> str:
    budget = CHECKED_BYTES
    for info in infos:
        try:
            with archive.open(info) as member:
                if info.file_size <= budget:
                    budget -= info.file_size
                    _drain(member)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
            return f"its part {info.filename} is damaged ({error})"
        except Exception as error:  # zlib.error and the like have no common base
            return f"its part {info.filename} cannot be unpacked ({error})"
    return ""


def _drain(member: IO[bytes]) -> None:
    while member.read(1 << 20):
        pass
