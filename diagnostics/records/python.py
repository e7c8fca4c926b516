"""The interpreter, its search path, and what interferes with its imports."""

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
    pythonpath: tuple[str, ...] = ()
    """Folders of PYTHONPATH; searched before the standard library."""
    site_packages: tuple[str, ...] = ()
    """Site folders in the order of the search: an environment's, the user's, the base Python's."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script of a virtual environment that starts an interpreter outside of it."""

    path: str
    interpreter: str
    """Of its first line."""
    is_dead: bool
    """Nothing is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What surrounds the installed packages, and what of it points to nothing."""

    pythonpath_missing: tuple[str, ...] = ()
    """Folders of PYTHONPATH that are not there."""
    pythonhome: str = ""
    """PYTHONHOME, when it holds no standard library of this Python."""
    path_files: tuple[tuple[str, str], ...] = ()
    """(path file, folder): lines of `*.pth` whose folder is gone."""
    editables: tuple[tuple[str, str], ...] = ()
    """(distribution, checkout): editable installs whose checkout is gone."""
    preloads_missing: tuple[str, ...] = ()
    """Libraries of LD_PRELOAD that are not there."""
    venv_home: str = ""
    """Folder of the Python that the virtual environment was made from, as `pyvenv.cfg` has it."""
    venv_home_exists: bool = True
    venv_version: str = ""
    """The version that `pyvenv.cfg` has."""
    venv_created_at: str = ""
    """The folder that the virtual environment was made in, as `pyvenv.cfg` has it."""
    libraries_for: tuple[str, ...] = ()
    """Minor versions of Python for which packages are installed in it, such as `3.11`."""
    scripts: tuple[Script, ...] = ()
    activates: str = ""
    """The folder that its `activate` switches to, when it is another one."""
