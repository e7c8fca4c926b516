"""Finds libraries as the dynamic loader does: the search order of ld.so(8)."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH114

from __future__ import annotations

import os
import platform
import struct
from dataclasses import dataclass, field
from pathlib import Path

from diagnostics.facts.elf import Header, NotElf, read

_MAGIC = b"glibc-ld.so.cache1.1"
_SYSTEM = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")


def cached_libraries(path: str = "/etc/ld.so.cache") -> dict[str, str]:
    """Return {soname: path} of the system's loader cache, empty when it cannot be read."""
    try:
        image = Path(path).read_bytes()
        start = image.index(_MAGIC)
        (count,) = struct.unpack_from("<I", image, start + 20)
        found: dict[str, str] = {}
        for index in range(count):
            _, key, value = struct.unpack_from("<iII", image, start + 48 + index * 24)
            name = _text(image, start + key)
            found.setdefault(name, _text(image, start + value))
        return found
    except (OSError, ValueError, struct.error):
        return {}


def _text(image: bytes, start: int) -> str:
    return image[start : image.index(b"\0", start)].decode(errors="replace")


@dataclass(slots=True)
class Loader:
    """Resolves library names as ld.so does, and remembers every header it has read."""

    library_path: tuple[str, ...] = ()
    """Folders of LD_LIBRARY_PATH."""
    cache: dict[str, str] = field(default_factory=cached_libraries)
    system: tuple[str, ...] = _SYSTEM
    headers: dict[str, Header | None] = field(default_factory=dict)
    _existing: dict[str, bool] = field(default_factory=dict)
    _real: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)

    def header(self, path: str) -> Header | None:
        """Return the header of the library, None when it cannot be read."""
        if path not in self.headers:
            try:
                self.headers[path] = read(path)
            except (OSError, NotElf):
                self.headers[path] = None
        return self.headers[path]

    def find(self, name: str, asking: tuple[str, ...]) -> tuple[str, str]:
        """Return the path of the library that `asking[0]` needs and how it was found; ("", "") for none.

        `asking` is the chain of loading libraries, the asking one first: DT_RPATH of every one
        of them counts, DT_RUNPATH only of the first. `through` is `rpath`, `LD_LIBRARY_PATH`,
        `runpath`, `cache` or `system`.
        """
        if "/" in name:
            return (name, "path") if self._exists(name) else ("", "")
        first = self.header(asking[0])
        if first is not None and not first.runpath:
            for path in asking:
                header = self.header(path)
                found = self._among(name, header.rpath if header else (), path)
                if found:
                    return found, "rpath"
        found = self._among(name, self.library_path, asking[0])
        if found:
            return found, "LD_LIBRARY_PATH"
        found = self._among(name, first.runpath if first else (), asking[0])
        if found:
            return found, "runpath"
        if self._exists(self.cache.get(name, "")):
            return self.cache[name], "cache"
        found = self._among(name, self.system, asking[0])
        return (found, "system") if found else ("", "")

    def find_by_name(self, name: str) -> str:
        """Return the path of a library that nobody's search path leads to, such as a preloaded one."""
        found = self._among(name, self.library_path, "")
        if found or self._exists(self.cache.get(name, "")):
            return found or self.cache[name]
        return self._among(name, self.system, "")

    def real(self, path: str) -> str:
        """Return the path without links; folders are resolved once."""
        if path not in self._real:
            folder, _, name = path.rpartition("/")
            if folder not in self._folders:
                self._folders[folder] = os.path.realpath(folder)
            is_link = os.path.islink(path)
            self._real[path] = (
                os.path.realpath(path) if is_link else f"{self._folders[folder]}/{name}"
            )
        return self._real[path]

    def _among(self, name: str, folders: tuple[str, ...], asking: str) -> str:
        for folder in folders:
            if "$" in folder:
                origin = self.real(asking).rpartition("/")[0]
                folder = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
                folder = folder.replace("$LIB", "lib").replace("$PLATFORM", platform.machine())
            path = f"{folder or '.'}/{name}"
            if self._exists(path):
                return os.path.normpath(path)
        return ""

    def _exists(self, path: str) -> bool:
        if path not in self._existing:
            self._existing[path] = bool(path) and os.path.exists(path)
        return self._existing[path]
