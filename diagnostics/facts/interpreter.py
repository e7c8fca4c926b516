"""Which Python is examined: this one, or another one asked in a child process."""

# Plain os calls start faster than pathlib and take most of the second that a look may last.
# ruff: noqa: PTH100, PTH112, PTH118, PTH119

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from diagnostics.facts import interpreter_probe
from diagnostics.records import Interpreter

PATIENT_SECONDS = 10.0


class NotAPython(ValueError):
    """The path given as the interpreter cannot be one."""


def locate(python: str) -> str:
    """Path of the interpreter that `python` names: an executable, a virtual environment, a name.

    Raises NotAPython when nothing there can be one.
    """
    path = Path(python).expanduser()
    for candidate in (path, path / "bin" / "python", path / "bin" / "python3"):
        if candidate.is_file():
            return os.path.abspath(candidate)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.sep not in python and folder and os.access(Path(folder) / python, os.X_OK):
            return os.path.join(folder, python)
    raise NotAPython(
        f"no Python interpreter at {python!r}; expected an executable such as "
        f".venv/bin/python, or the folder of a virtual environment"
    )


def describe(python: str | None = None) -> tuple[Interpreter, str]:
    """(the interpreter, why it had to be guessed from the disk or "")."""
    failure = ""
    if python is None or os.path.abspath(python) == os.path.abspath(sys.executable):
        data: dict[str, Any] = interpreter_probe.describe()
        own = True
        data["paths"] = [path for path in data["paths"] if os.path.abspath(path) != os.getcwd()]
    else:
        own = False
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
    user_site = os.path.normpath(str(data.get("user_site") or os.devnull))
    if data["user_site_enabled"] and os.path.isdir(user_site):
        data["site_packages"] = tuple(dict.fromkeys((user_site, *data["site_packages"])))
    return Interpreter(is_self=own, **data), failure


def _ask(python: str) -> dict[str, Any]:
    source = Path(interpreter_probe.__file__).read_text(encoding="utf-8")
    done = subprocess.run(
        [python, "-I", "-c", source],
        capture_output=True,
        timeout=PATIENT_SECONDS,
        check=True,
        stdin=subprocess.DEVNULL,
        cwd="/" if os.path.isdir("/") else None,
    )
    data = json.loads(done.stdout)
    if not isinstance(data, dict):
        raise ValueError("it answered with something else than a JSON object")
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"timeout after {PATIENT_SECONDS:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"exit status {error.returncode}: {last[0] if last else 'no message'}"
    return f"{type(error).__name__}: {error}"


def _guess(python: str) -> dict[str, Any]:
    prefix = Path(python).parent.parent
    config = _venv_config(prefix)
    version = config.get("version") or config.get("version_info") or ""
    sites = sorted((prefix / "lib").glob("python3.*/site-packages"))
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


def _venv_config(prefix: Path) -> dict[str, str]:
    try:
        text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _sees_system_site(prefix: str) -> bool:
    return _venv_config(Path(prefix)).get("include-system-site-packages", "") == "true"
