"""The interpreter, and what gets in its way when it imports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The examined Python, which need not be the one that runs the doctor."""

    executable: str
    version: str
    """Such as `3.11.7`."""
    implementation: str = "cpython"
    soabi: str = ""
    """Such as `cpython-311-x86_64-linux-gnu`; extension modules carry it in their name."""
    machine: str = ""
    prefix: str = ""
    base_prefix: str = ""
    paths: tuple[str, ...] = ()
    """`sys.path` without the script's folder."""
    site_packages: tuple[str, ...] = ()
    user_site: str = ""
    user_site_enabled: bool = False
    externally_managed: str = ""
    """Path of the EXTERNALLY-MANAGED marker, empty inside a virtual environment."""
    has_pip: bool = True
    has_headers: bool = True
    headers: str = ""
    free_threaded: bool = False
    libc: str = ""
    """Such as `glibc 2.39` or `musl 1.2`."""
    manylinux_veto: str = ""
    """Path of a `_manylinux.py` that tells installers which wheels to refuse."""
    is_self: bool = True
    """True when the doctor runs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A file or folder that is imported instead of the installed library of that name."""

    name: str
    path: str
    kind: str
    """`file`, `package` or `folder` (no `__init__.py`)."""
    where: str
    """`current folder`, `PYTHONPATH`, `user site` or `earlier site`."""
