"""Checks what surrounds the packages: base Python, scripts, path files, checkouts, preloaded libraries."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import by_hand, export, finding, listing
from diagnostics.install_commands import remove
from diagnostics.registry import Skipped, check, need

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
FAR_ABOVE = 2
"""From so many threads per core on, a variable is taken for another machine's."""


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@check("base-python-gone", "The Python that the environment was made from is there", "python")
def base_python_gone(environment: Environment) -> Iterator[Finding]:
    """The virtual environment was created from a Python that no longer exists.

    Why: an update or an uninstall removed it: `No such file or directory`, `bad interpreter`. Cure:
    recreate the environment on the same minor version; its packages are kept.
    """
    frame = need(environment.frame, "what surrounds the packages was not read")
    if frame.venv_home_exists:
        return
    minor = _minor(frame.venv_version or environment.python.version)
    yield finding(
        Level.ERROR,
        f"{frame.venv_home}, whose Python {environment.python.prefix} was made from, is gone",
        cause="the base Python was removed or moved",
        evidence={f"{environment.python.prefix}/pyvenv.cfg": f"home = {frame.venv_home}"},
        fixes=_put_on(environment, minor),
        explains=("facts-missing:python", "base-python-changed", "venv-moved", "torch-installed"),
    )


@check("base-python-changed", "The environment's packages are for its Python", "python")
def base_python_changed(environment: Environment) -> Iterator[Finding]:
    """The base Python has become another minor version than the packages were installed for.

    Why: an upgrade of the system moved python3 from 3.11 to 3.12; every import then fails with `No
    module named ...`. Cure: recreate the environment on the old minor version, or make a new one.
    """
    frame = need(environment.frame, "what surrounds the packages was not read")
    minor = _minor(environment.python.version)
    if not frame.libraries_for or not minor or minor in frame.libraries_for:
        return
    had = frame.libraries_for[-1]
    yield finding(
        Level.ERROR,
        f"the packages are installed for Python {had}, the environment's Python is now {minor}",
        cause="the Python that the environment was made from was upgraded",
        evidence={
            f"{environment.python.prefix}/lib/python{had}": "holds the packages",
            environment.python.executable: environment.python.version,
        },
        fixes=_put_on(environment, had),
        explains=("torch-installed", "empty-dir-namespace", "python-has-no-wheel"),
    )


def _put_on(environment: Environment, minor: str) -> tuple[Fix, ...]:
    """Return the commands that recreate it; `venv` keeps existing links, so they are removed first."""
    prefix = environment.python.prefix
    links = " ".join(
        shlex.quote(f"{prefix}/bin/{name}") for name in ("python", "python3", f"python{minor}")
    )
    return (
        by_hand(
            f"rm -f {links} && python{minor} -m venv --upgrade {shlex.quote(prefix)}",
            f"links it to another Python {minor}, which has to be installed; the packages stay",
        ),
        by_hand(
            f"uv venv --python {minor} --allow-existing {shlex.quote(prefix)}",
            f"the same with a Python {minor} that uv brings",
        ),
    )


@check("venv-moved", "Scripts start the environment's own Python", "python")
def venv_moved(environment: Environment) -> Iterator[Finding]:
    """Scripts of the environment start another Python, because the environment was moved or copied.

    Why: their first line holds the old path: `bad interpreter: No such file or directory`; in a
    copy, they install into the original. Cure: rewrite the path in them.
    """
    frame = need(environment.frame, "what surrounds the packages was not read")
    python = environment.python
    if not frame.scripts and not frame.activates:
        return
    dead = [script for script in frame.scripts if script.is_dead]
    names = [script.path.rpartition("/")[2] for script in (dead or frame.scripts)]
    old = next((script.interpreter for script in (dead or frame.scripts)), frame.activates)
    what = "start nothing" if dead else "start another environment"
    yield finding(
        Level.ERROR if dead else Level.WARN,
        f"scripts of {python.prefix} {what}: {listing(names)}"
        if names
        else f"{python.prefix}/bin/activate switches to {frame.activates}",
        cause=f"the environment was {'moved' if dead else 'moved or copied'}"
        + (f" from {frame.venv_created_at}" if frame.venv_created_at != python.prefix else ""),
        evidence={
            **{script.path: f"#!{script.interpreter}" for script in (dead or frame.scripts)[:3]},
            **({f"{python.prefix}/bin/activate": frame.activates} if frame.activates else {}),
        },
        fixes=(_rewritten(environment, old),),
    )


def _rewritten(environment: Environment, old: str) -> Fix:
    """Return the command that replaces the old folder in every script and in `activate`."""
    folder = old.rpartition("/bin/")[0] or old
    prefix = environment.python.prefix
    pattern = shlex.quote(f"s#{_literal(folder)}([/\"' ]|$)#{prefix}\\1#g")
    files = f"$(grep -IlF {shlex.quote(folder)} {shlex.quote(prefix)}/bin/*)"
    return Fix(
        argv=(),
        shell=f"sed -E -i {pattern} {files} {shlex.quote(prefix + '/pyvenv.cfg')}",
        why="writes the new path into the scripts; links are left alone",
    )


def _literal(path: str) -> str:
    """Return the path escaped for sed's extended regular expressions."""
    return re.sub(r"([][.*^$+?(){}|\\#])", r"\\\1", path)


@check("editable-gone", "Checkouts of editable installs are there", "python")
def editable_gone(environment: Environment) -> Iterator[Finding]:
    """A package is installed from a checkout that no longer exists.

    Why: `pip list` still shows it, and its import fails with `No module named ...`. Cure: install
    it again from its new place, or uninstall it.
    """
    for name, folder in need(environment.frame, "not read").editables:
        place = f"/new/place/of/{folder.rpartition('/')[2]}"
        line = f"{environment.python.executable} -m pip install -e {place}"
        yield finding(
            Level.ERROR,
            f"{name} is installed from {folder}, which is gone",
            subject=name,
            cause="the checkout was moved or deleted",
            evidence={"direct_url.json": f"file://{folder}"},
            fixes=(
                remove(environment, name, why="takes it out of the environment"),
                by_hand(line, "or installs it from where it is now"),
            ),
            explains=(f"path-file-dead:{folder}*", f"deep-import:{name.replace('-', '_')}"),
        )


@check("path-file-dead", "Path files name folders that are there", "python")
def path_file_dead(environment: Environment) -> Iterator[Finding]:
    """A `.pth` file adds a folder that no longer exists to the search path.

    Why: what was imported from it fails with `No module named ...`. Cure: remove the line.
    """
    for path, folder in need(environment.frame, "not read").path_files:
        pattern = shlex.quote(f"\\#^{_literal(folder)}$#d")
        yield finding(
            Level.WARN,
            f"{path.rpartition('/')[2]} adds {folder}, which is gone",
            subject=folder,
            cause="the folder was moved or deleted",
            evidence={path: folder},
            fixes=(
                Fix(
                    argv=(),
                    shell=f"sed -E -i {pattern} {shlex.quote(path)}",
                    why="takes the line out",
                ),
            ),
        )


@check("pythonhome-wrong", "PYTHONHOME is this Python's", "python")
def pythonhome(environment: Environment) -> Iterator[Finding]:
    """PYTHONHOME names a folder without this Python's standard library.

    Why: the interpreter does not start: `No module named 'encodings'`. Cure: unset it.
    """
    folder = need(environment.frame, "not read").pythonhome
    if folder:
        minor = _minor(environment.python.version)
        yield finding(
            Level.ERROR,
            f"PYTHONHOME={folder} holds no standard library of Python {minor}",
            cause="the variable was set for another Python",
            evidence={f"{folder}/lib/python{minor}/os.py": "missing"},
            fixes=(export("unset PYTHONHOME", "lets Python find its own library"),),
            explains=("deep-*",),
        )


@check("pythonpath-missing", "Folders of PYTHONPATH are there", "python")
def pythonpath_missing(environment: Environment) -> Iterator[Finding]:
    """PYTHONPATH names a folder that does not exist.

    Why: Python ignores it silently, so the modules expected there are missing. Cure: correct the
    path.
    """
    missing = need(environment.frame, "not read").pythonpath_missing
    if missing:
        parts = environment.variables.get("PYTHONPATH", "").split(":")
        kept = ":".join(part for part in parts if part and part not in missing)
        line = f"export PYTHONPATH={shlex.quote(kept)}" if kept else "unset PYTHONPATH"
        yield finding(
            Level.INFO,
            f"PYTHONPATH names {listing(missing)}, which is not there",
            evidence=dict.fromkeys(missing[:4], "missing"),
            fixes=(export(line, "leaves it out"),),
        )


@check("preload-missing", "Preloaded libraries are there", "variables")
def preload_missing(environment: Environment) -> Iterator[Finding]:
    """LD_PRELOAD names a library that does not exist.

    Why: every program prints `object '...' from LD_PRELOAD cannot be preloaded: ignored`, and the
    intended allocator or OpenMP runtime is not used. Cure: install it, or remove it from the
    variable.
    """
    missing = need(environment.frame, "not read").preloads_missing
    if missing:
        value = environment.variables.get("LD_PRELOAD", "")
        parts = value.replace(":", " ").split()
        kept = ":".join(part for part in parts if part not in missing)
        line = f"export LD_PRELOAD={shlex.quote(kept)}" if kept else "unset LD_PRELOAD"
        yield finding(
            Level.WARN,
            f"LD_PRELOAD names {listing(missing)}, which is not there",
            cause="the library was removed, or its path is another machine's",
            evidence={"LD_PRELOAD": value},
            fixes=(export(line, "leaves it out"),),
            explains=("ld-preload",),
        )


@check("threads-above-cores", "Thread variables fit the cores", "variables")
def threads_above_cores(environment: Environment) -> Iterator[Finding]:
    """A variable asks for far more threads than there are cores.

    Why: the threads compete for the cores and spin while waiting, which is several times slower.
    Cure: as many threads as cores.
    """
    cores = environment.system.num_cores
    if cores < 1:
        raise Skipped("the number of cores is not known")
    found = {}
    for name in THREADS:
        first = environment.variables.get(name, "").split(",")[0].strip()
        if first.isdigit() and int(first) > FAR_ABOVE * cores:
            found[name] = first
    if found:
        yield finding(
            Level.WARN,
            ", ".join(f"{name}={value}" for name, value in found.items())
            + f" on {cores} core{'s' if cores > 1 else ''}",
            cause="the variable was set for another machine, or counts the host's processors",
            evidence={**found, "usable cores": cores},
            fixes=(
                export(
                    "export " + " ".join(f"{name}={cores}" for name in found), "a thread per core"
                ),
            ),
        )
