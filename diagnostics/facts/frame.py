"""What surrounds the installed packages: path files, editable checkouts, the venv's own files, preloads."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH110, PTH112, PTH113, PTH114, PTH117, PTH118, PTH120

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from diagnostics.facts.loader import Loader
from diagnostics.facts.procfs import names, text
from diagnostics.records import Distribution, Frame, Interpreter, Script

NUM_SCRIPTS = 400
"""Scripts that are read at most."""
_PYTHON = re.compile(r"(?:^|/)(?:python|pypy)[\d.]*$")


def describe(
    interpreter: Interpreter,
    found: tuple[Distribution, ...],
    variables: dict[str, str],
    loader: Loader,
) -> Frame:
    """Return what around the packages points to something that is not there."""
    prefix = interpreter.prefix
    config = venv_config(prefix)
    home = config.get("home", "")
    return Frame(
        pythonpath_missing=tuple(_absent_folders(variables.get("PYTHONPATH", ""))),
        pythonhome=_bad_home(variables.get("PYTHONHOME", ""), interpreter),
        path_files=tuple(_dead_path_lines(interpreter.site_packages)),
        editables=tuple(_dead_checkouts(found)),
        preloads_missing=tuple(_absent_preloads(variables.get("LD_PRELOAD", ""), loader)),
        venv_home=home,
        venv_home_exists=not home or os.path.isdir(home),
        venv_version=config.get("version") or config.get("version_info", ""),
        venv_created_at=_created_at(config.get("command", "")),
        libraries_for=tuple(_filled_libraries(prefix)) if config else (),
        scripts=tuple(_stray_scripts(prefix)) if config else (),
        activates=_activates(prefix) if config else "",
    )


def venv_config(prefix: str) -> dict[str, str]:
    """Return the keys of `pyvenv.cfg`, {} outside of a virtual environment."""
    pairs = (
        line.split("=", 1) for line in text(f"{prefix}/pyvenv.cfg").splitlines() if "=" in line
    )
    return {key.strip(): value.strip() for key, value in pairs}


def _absent_folders(value: str) -> Iterator[str]:
    for part in value.split(os.pathsep):
        if part and not os.path.exists(part):
            yield part


def _bad_home(value: str, interpreter: Interpreter) -> str:
    """The folder of PYTHONHOME, when it holds no standard library of this Python."""
    if not value:
        return ""
    minor = ".".join(interpreter.version.split(".")[:2])
    first = value.split(os.pathsep)[0]
    return "" if os.path.isfile(f"{first}/lib/python{minor}/os.py") else value


def _dead_path_lines(sites: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path file, folder that it adds and that is gone), as `site` reads `*.pth`."""
    for site in sites:
        for name in names(site):
            if not name.endswith(".pth") or name.startswith("."):
                continue
            for line in text(f"{site}/{name}").splitlines():
                line = line.strip()
                if not line or line.startswith(("#", "import ", "import\t")):
                    continue
                folder = line if os.path.isabs(line) else os.path.join(site, line)
                if not os.path.exists(folder):
                    yield f"{site}/{name}", folder


def _dead_checkouts(found: tuple[Distribution, ...]) -> Iterator[tuple[str, str]]:
    """(distribution, checkout that is gone) of editable installs."""
    for item in found:
        if not item.editable:
            continue
        with suppress(ValueError):
            data = json.loads(text(f"{item.directory}/direct_url.json") or "{}")
            parts = urlsplit(str(data.get("url", "")) if isinstance(data, dict) else "")
            folder = unquote(parts.path)
            if parts.scheme == "file" and folder and not os.path.isdir(folder):
                yield item.name, folder


def _absent_preloads(value: str, loader: Loader) -> Iterator[str]:
    """Libraries of LD_PRELOAD, separated by blanks or colons, that the loader will not find."""
    for name in re.split(r"[\s:]+", value.strip()):
        if not name or "$" in name:
            continue
        found = os.path.exists(name) if "/" in name else bool(loader.find_by_name(name))
        if not found:
            yield name


def _created_at(command: str) -> str:
    """The folder that `python -m venv` was called with, "" when the file does not say."""
    last = command.rpartition(" ")[2]
    return os.path.normpath(last) if os.path.isabs(last) else ""


def _filled_libraries(prefix: str) -> Iterator[str]:
    """Minor versions whose site folder in the environment holds packages."""
    for name in names(f"{prefix}/lib"):
        minor = name.removeprefix("python")
        if minor != name and re.fullmatch(r"3\.\d+", minor):
            site = names(f"{prefix}/lib/{name}/site-packages")
            installed = [item for item in site if item.endswith(".dist-info")]
            if any(not item.startswith(("pip-", "setuptools-", "wheel-")) for item in installed):
                yield minor


def _stray_scripts(prefix: str) -> Iterator[Script]:
    """Scripts of the environment that start with an interpreter outside of it, or with none."""
    folder = f"{prefix}/bin"
    own = os.path.realpath(folder)
    for name in names(folder)[:NUM_SCRIPTS]:
        path = f"{folder}/{name}"
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        first, _, rest = text(path, 512).partition("\n")
        if not first.startswith("#!"):
            continue
        program = first[2:].strip().split(" ")[0]
        if program == "/bin/sh" and rest.startswith("'''exec'"):
            # What installers write where the path is too long for the kernel, or relocatable.
            program = rest[8:].strip().split(" ")[0].strip("'\"")
        if not _PYTHON.search(program) or "$" in program or not os.path.isabs(program):
            continue
        home = os.path.dirname(os.path.dirname(program))
        is_dead = not os.path.exists(program)
        # A script of the system's Python is meant so; one of another environment is a copy's.
        if os.path.realpath(f"{home}/bin") != own and (
            is_dead or os.path.isfile(f"{home}/pyvenv.cfg")
        ):
            yield Script(path=path, interpreter=program, is_dead=is_dead)


def _activates(prefix: str) -> str:
    """The folder that `source bin/activate` switches to, when it is another one."""
    found = re.search(
        r"^\s*(?:export )?VIRTUAL_ENV=[\"']?(/[^\"'\n]+)", text(f"{prefix}/bin/activate"), re.M
    )
    if found is None or os.path.realpath(found[1].rstrip()) == os.path.realpath(prefix):
        return ""
    return found[1].rstrip()
