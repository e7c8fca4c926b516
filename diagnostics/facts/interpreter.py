"""Describes the examined Python: this one, or another one in a child process."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH100, PTH112, PTH118, PTH119

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from diagnostics.facts import interpreter_probe
from diagnostics.facts.deadline import LONGEST, run
from diagnostics.facts.frame import venv_config
from diagnostics.records import Interpreter

ANSWER_SECONDS = 10.0
LONGEST_SECONDS = ANSWER_SECONDS * LONGEST + 5
"""The child's own deadline ends it long before."""


class NotAPython(ValueError):
    """The given path is no interpreter."""


def locate(python: str) -> str:
    """Return the path of the interpreter that `python` names: an executable, an environment, a name.

    Raises NotAPython when nothing there can be one.
    """
    path = Path(python).expanduser()
    for candidate in (path, path / "bin" / "python", path / "bin" / "python3"):
        # A link that points nowhere is the Python of an environment whose base has vanished.
        if candidate.is_file() or (candidate.is_symlink() and not candidate.exists()):
            return os.path.abspath(candidate)
    if (path / "pyvenv.cfg").is_file():
        return os.path.abspath(path / "bin" / "python")
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.sep not in python and folder and os.access(Path(folder) / python, os.X_OK):
            return os.path.join(folder, python)
    raise NotAPython(
        f"no Python interpreter at {python!r}; expected an executable such as "
        f".venv/bin/python, or the folder of a virtual environment"
    )


def describe(python: str | None = None) -> tuple[Interpreter, str]:
    """Return the interpreter, and why it had to be guessed from the disk ("" when it answered)."""
    failure = ""
    if python is None or os.path.abspath(python) == os.path.abspath(sys.executable):
        data: dict[str, Any] = interpreter_probe.describe()
        own = True
        data["paths"] = [path for path in data["paths"] if os.path.abspath(path) != os.getcwd()]
    else:
        own = False
        import subprocess

        try:
            data = _ask(python)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            failure = f"{python} did not answer ({_reason(error)}); read from the disk instead"
            data = _guess(python)
    in_venv = bool(data.pop("in_venv", False))
    data["user_site_enabled"] = (
        not in_venv or _sees_system_site(str(data.get("prefix", "")))
    ) and not os.environ.get("PYTHONNOUSERSITE")
    for key in ("paths", "site_packages"):
        data[key] = tuple(dict.fromkeys(os.path.normpath(path) for path in data.get(key, ())))
    data["site_packages"] = _searched(data)
    data["pythonpath"] = _pythonpath(data["site_packages"])
    return Interpreter(is_self=own, **data), failure


def _searched(data: dict[str, Any]) -> tuple[str, ...]:
    """The site folders as `site` adds them: the environment's own, the user's, those it inherits.

    The probe runs isolated, so that neither PYTHONPATH nor the user's folder can break its start.
    """
    prefix = os.path.normpath(str(data.get("prefix") or "/"))
    in_venv = prefix != os.path.normpath(str(data.get("base_prefix") or prefix))
    found = data["site_packages"]
    mine = [path for path in found if in_venv and path.startswith(f"{prefix}/")]
    rest = [path for path in found if path not in mine]
    user = os.path.normpath(str(data.get("user_site") or os.devnull))
    own = [user] if data["user_site_enabled"] and os.path.isdir(user) else []
    return tuple(dict.fromkeys((*mine, *own, *rest)))


def _pythonpath(sites: tuple[str, ...]) -> tuple[str, ...]:
    """The folders that PYTHONPATH puts before the standard library."""
    parts = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    folders = (os.path.abspath(part) for part in parts if part)
    return tuple(dict.fromkeys(p for p in folders if os.path.isdir(p) and p not in sites))


def _ask(python: str) -> dict[str, Any]:
    source = Path(interpreter_probe.__file__).read_text(encoding="utf-8")
    done = run(
        [python, "-I", "-c", source], ANSWER_SECONDS, cwd="/" if os.path.isdir("/") else None
    )
    done.check_returncode()
    data = json.loads(done.stdout)
    if not isinstance(data, dict):
        raise ValueError("it answered with something else than a JSON object")
    return data


def _reason(error: Exception) -> str:
    import subprocess

    if isinstance(error, subprocess.TimeoutExpired):
        return f"timeout after {ANSWER_SECONDS:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"exit status {error.returncode}: {last[0] if last else 'no message'}"
    return f"{type(error).__name__}: {error}"


def _guess(python: str) -> dict[str, Any]:
    prefix = Path(python).parent.parent
    config = venv_config(str(prefix))
    version = config.get("version") or config.get("version_info") or ""
    sites = sorted((prefix / "lib").glob("python3.*/site-packages"))
    wanted = ".".join(version.split(".")[:2])
    sites = [path for path in sites if path.parent.name == f"python{wanted}"] or sites
    if not version and sites:
        version = sites[-1].parent.name.removeprefix("python")
    named = re.search(r"python(3\.\d+)", os.path.basename(os.path.realpath(python)))
    if not version and named:
        version = named[1]
    return {
        "executable": python,
        "version": ".".join(version.split(".")[:3]),
        "prefix": str(prefix),
        "base_prefix": config.get("home", ""),
        "paths": [str(path) for path in sites],
        "site_packages": [str(path) for path in sites],
        "in_venv": bool(config),
        "has_pip": any((path / "pip").is_dir() for path in sites),
        "machine": os.uname().machine if hasattr(os, "uname") else "",
    }


def _sees_system_site(prefix: str) -> bool:
    return venv_config(prefix).get("include-system-site-packages", "") == "true"
