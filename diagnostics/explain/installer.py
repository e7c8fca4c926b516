"""Which installer fills the environment that cures are written for, found without running it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TORCH_FAMILY = frozenset({"torch", "torchvision", "torchaudio"})
_CONDA_NAMES = {"torch": "pytorch"}
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The environment that a cure's commands change."""

    python: str
    tool: str = "pip"
    """`pip`, `uv`, `poetry` or `conda`."""
    prefix: str = ""
    """The environment's folder; empty when the interpreter is not a path."""
    versions: tuple[tuple[str, str], ...] = ()
    """Name and version of the installed torch, torchvision and torchaudio."""

    def pinned(self, name: str) -> str:
        """`name==version` as installed, so that a command cannot move it; else the bare name."""
        version = dict(self.versions).get(name, "")
        return f"{name}=={version}" if version else name


def target_of(python: str) -> Target:
    """The environment of an interpreter; reads file names and one INSTALLER file only."""
    path = Path(python)
    if not path.is_absolute():
        return Target(python=python)
    prefix = path.parent if path.parent.name.lower() not in ("bin", "scripts") else path.parents[1]
    versions: dict[str, str] = {}
    installer = ""
    with suppress(OSError):
        for folder in _site_packages(prefix):
            for info in folder.glob("torch*.dist-info"):
                name, _, version = info.name.removesuffix(".dist-info").partition("-")
                if name in _TORCH_FAMILY:
                    versions[name] = version
                if name == "torch":
                    installer = _first_word(info / "INSTALLER")
    return Target(
        python=python,
        tool=_tool(prefix, installer),
        prefix=str(prefix),
        versions=tuple(sorted(versions.items())),
    )


def translate(argv: tuple[str, ...], target: Target) -> tuple[str, ...]:
    """A `PYTHON -m pip ...` command in the words of the installer that fills the environment."""
    if argv[:3] != (target.python, "-m", "pip") or target.tool == "pip":
        return argv
    verb, rest = argv[3], argv[4:]
    if target.tool == "uv":
        return _uv(verb, rest, target)
    if target.tool == "conda":
        return _conda(verb, rest, target) or argv
    if target.tool == "poetry" and verb == "install" and not any(r.startswith("-") for r in rest):
        return ("poetry", "add", *rest)
    return argv


def _uv(verb: str, rest: tuple[str, ...], target: Target) -> tuple[str, ...]:
    if verb == "cache":
        return ("uv", "cache", "clean")
    if verb not in ("install", "uninstall", "show", "list"):
        return (target.python, "-m", "pip", verb, *rest)
    words = tuple("--reinstall" if item == "--force-reinstall" else item for item in rest)
    words = tuple(item for item in words if not (verb == "uninstall" and item == "-y"))
    return ("uv", "pip", verb, "--python", target.python, *words)


def _conda(verb: str, rest: tuple[str, ...], target: Target) -> tuple[str, ...]:
    """conda's command, or nothing where the packages are not conda's."""
    if verb not in ("install", "uninstall"):
        return ()
    requirements, index, flags = [], "", []
    words = iter(rest)
    for word in words:
        if word == "--index-url":
            index = next(words, "")
        elif word == "--force-reinstall":
            flags.append(word)
        elif not word.startswith("-"):
            requirements.append(word)
    names = [match[0] for item in requirements if (match := _NAME.match(item))]
    if not any(name in _TORCH_FAMILY or _is_condas(name, target) for name in names):
        return ()
    wanted = [
        _CONDA_NAMES.get(name, name) + item[len(name) :].replace("==", "=").partition("+")[0]
        for name, item in zip(names, requirements, strict=True)
    ]
    if verb == "uninstall":
        return ("conda", "remove", "-y", "-p", target.prefix, *wanted)
    if (match := re.search(r"/cu(\d+)(\d)$", index)) is not None:
        wanted.append(f"cuda-version={match[1]}.{match[2]}")
    return ("conda", "install", "-y", "-p", target.prefix, *flags, *wanted)


def _is_condas(name: str, target: Target) -> bool:
    folder = Path(target.prefix) / "conda-meta"
    return any(folder.glob(f"{_CONDA_NAMES.get(name, name)}-[0-9]*.json"))


def _tool(prefix: Path, installer: str) -> str:
    if installer in ("pip", "uv", "poetry"):
        return installer
    if installer == "conda" or any(prefix.glob("conda-meta/pytorch-[0-9]*.json")):
        return "conda"
    with suppress(OSError):
        if re.search(
            r"(?m)^uv\s*=", (prefix / "pyvenv.cfg").read_text("utf-8", "replace")
        ) and not any((folder / "pip").is_dir() for folder in _site_packages(prefix)):
            return "uv"
    return "pip"


def _site_packages(prefix: Path) -> list[Path]:
    return [*sorted(prefix.glob("lib/python3*/site-packages")), *prefix.glob("Lib/site-packages")]


def _first_word(path: Path) -> str:
    with suppress(OSError):
        words = path.read_text("utf-8", "replace").lower().split()
        return words[0] if words else ""
    return ""
