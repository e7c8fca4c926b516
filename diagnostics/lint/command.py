"""Reads install commands: pip, uv, poetry, pipenv, pdm, pixi, and conda's family."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from diagnostics.lint import options
from diagnostics.lint.conda import conda_wish
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Reading, Wish, wheel_wish, wish
from diagnostics.lint.specifiers import poetry_ranges, python_version
from diagnostics.tables.engines import ENGINES
from diagnostics.tables.torch_releases import Python

PROJECT_TOOLS = frozenset({"uv", "poetry", "pipenv", "pdm", "pixi"})
"""Tools that install the project of the folder when no requirement is named."""

SEPARATORS = frozenset({"&&", ";", "||", "|", "&"})

_TOOLS = re.compile(r"(?:pip[\d.]*|pipx|uv|conda|mamba|micromamba|poetry|pipenv|pdm|pixi)")
_PYTHON = re.compile(r"(?:python|pypy)(\d+(?:\.\d+)?)?(?:\.exe)?|py(?:\.exe)?")
_VERBS = frozenset({"install", "add", "sync", "create", "download", "wheel", "update", "compile"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_LOCAL = re.compile(r"\.{0,2}[/\\]|\.{1,2}$|file:|[A-Za-z]:\\|~/")
_REMOTE = re.compile(r"(?:git|hg|svn|bzr)\+|https?://|git@")

FileReader = Callable[[Path], Reading]
"""Reads a requirements file; given by the caller, because files can hold commands."""


class NotACommand(ValueError):
    """The text is no install command and no requirement."""


@dataclass(slots=True, kw_only=True)
class _Parts:
    """What the words of one command amount to, while they are read."""

    wishes: list[Wish] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    files: list[tuple[str, bool]] = field(default_factory=list)
    """(path, whether it holds constraints)."""
    kept: list[str] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)
    python: Python | None = None
    backend: str = ""
    has_main_index: bool = True
    is_prerelease: bool = False
    projects: list[str] = field(default_factory=list)
    """Folders with a project of their own, such as `.` or those of `-e`."""


def looks_like_command(text: str) -> bool:
    """Return True for `pip install ...` and its relatives, also after `!`, `%`, `sudo` or `RUN`."""
    return any(_start(words) is not None for words in split(text))


def split(text: str) -> list[list[str]]:
    """Return the words of each command in a line of shell; [] when the quotes do not match."""
    try:
        lexer = shlex.shlex(_bare(text), posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return []
    commands: list[list[str]] = [[]]
    for word in words:
        if word in SEPARATORS:
            commands.append([])
        elif word.startswith("#"):
            break
        else:
            commands[-1].append(word)
    return [words for words in commands if words]


def read(text: str, read_file: FileReader | None = None, folder: Path = Path()) -> Reading:
    """Return what a command, several commands, or bare requirements ask for.

    `folder` is where relative paths start. Raises NotACommand when a word is no requirement, or
    when quotes do not match.
    """
    commands = split(text)
    if not commands:
        raise NotACommand("the quotes in the command do not match, or there is no word in it")
    installs = [words for words in commands if _start(words) is not None]
    if not installs and _is_prose(commands[0]):
        raise NotACommand("it is neither an install command, nor a file, nor a requirement")
    if not installs and _is_tool(_assignments(commands[0])[1]):
        raise NotACommand(f"{' '.join(commands[0][:3])}: only commands that install are judged")
    found = Reading()
    present: tuple[Wish, ...] = ()
    for words in installs or commands[:1]:
        one = _one(words, read_file, folder)
        one.plans = [replace(plan, present=present) for plan in one.plans]
        found.add(one)
        present = installed_after(present, one.plans)
    return found


def _is_prose(words: list[str]) -> bool:
    """Return True for several plain words none of which is a package that the tables know."""
    plain = [word for word in words if re.fullmatch(r"[A-Za-z][\w.'-]*", word)]
    known = {*FAMILY, *ENGINES, "onnxruntime", "onnxruntime-gpu", "transformers"}
    return len(words) > 1 and len(plain) == len(words) and not known & {w.lower() for w in words}


def installed_after(present: tuple[Wish, ...], plans: list[Plan]) -> tuple[Wish, ...]:
    """Return what is there after these plans were installed over what was there before."""
    items = [item for plan in plans for item in plan.wishes if not item.is_constraint]
    names = {item.name for item in items}
    return (*(item for item in present if item.name not in names), *items)


def _one(words: list[str], read_file: FileReader | None, folder: Path) -> Reading:
    variables, words = _assignments(words)
    start = _start(words) or 0
    installer = _installer(words[:start])
    parts = _Parts(python=_python_of(words[:start]))
    _variables(variables, parts)
    _words(words[start:], installer, parts)
    reading = Reading(not_read=parts.not_read)
    included = [_included(path, folder, read_file, reading) for path, _ in parts.files]
    constraints: list[Wish] = []
    plans = [plan for found in included for plan in found]
    for (_, is_constraint), found in zip(parts.files, included, strict=True):
        for plan in found:
            if is_constraint:
                constraints += plan.wishes
                continue
            parts.wishes += plan.wishes
            parts.indexes += plan.indexes
            parts.pages += plan.pages
            parts.channels += plan.channels
            parts.has_main_index &= plan.has_main_index
            parts.python = parts.python or plan.python
    for project in parts.projects:
        own = _included(project, folder, read_file, reading)
        reading.plans += own
        plans += own
    if not start and not parts.wishes:
        raise NotACommand("there is no requirement in it")
    if not parts.wishes and not plans and not reading.not_read and installer in PROJECT_TOOLS:
        # `uv sync`, `poetry install`: the requirements are those of the project in the folder.
        reading.plans += _included(".", folder, read_file, reading)
        if not reading.plans and not reading.not_read:
            raise NotACommand("there is no requirement in it")
    if parts.wishes or parts.projects:
        reading.plans.append(
            Plan(
                wishes=(*parts.wishes, *binding(parts.wishes, constraints)),
                source="command",
                indexes=tuple(parts.indexes),
                has_main_index=parts.has_main_index,
                pages=tuple(parts.pages),
                backend=parts.backend,
                installer=installer,
                channels=tuple(parts.channels),
                is_command=not parts.files and not parts.projects,
                head=tuple(words[:start]),
                kept=tuple(parts.kept),
                python=parts.python,
                is_prerelease=parts.is_prerelease,
                resolves_for_all=False,
            )
        )
    elif not reading.plans and not reading.not_read and not parts.files:
        raise NotACommand("there is no requirement in it")
    return reading


def binding(wishes: list[Wish], constraints: list[Wish]) -> list[Wish]:
    """Return the constraints on packages that are asked for, or that torch brings."""
    names = {item.name for item in wishes}
    brings_torch = bool(names & {"torch", "torchvision", "torchaudio"})
    return [
        Wish(
            name=item.name,
            ranges=item.ranges,
            marker=item.marker,
            text=item.text,
            where=item.where,
            is_constraint=True,
        )
        for item in constraints
        if item.name in names or brings_torch
    ]


def _included(
    path: str, folder: Path, read_file: FileReader | None, reading: Reading
) -> list[Plan]:
    """Return the plans of a file or project that a command names; what is missing is noted."""
    place = folder / re.sub(r"\[[^\]]*\]$", "", path.removeprefix("file://"))
    if read_file is None or not place.exists():
        reading.not_read.append(f"{path}: there is no such file or folder here")
        return []
    try:
        found = read_file(place)
    except (OSError, ValueError) as error:
        reading.not_read.append(f"{path}: {error}")
        return []
    reading.not_read += found.not_read
    return found.plans


def _words(words: list[str], installer: str, parts: _Parts) -> None:
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            _requirement(word, installer, parts)
            continue
        option, has_value, value = word.partition("=")
        glued = re.fullmatch(r"(-[rcfiepn])([^-=].*)", word)
        if glued and options.takes_value(word, installer) is None:
            option, has_value, value = glued[1], "=", glued[2]
        takes = options.takes_value(option, installer)
        if takes is None:
            parts.not_read.append(f"the option {option} is not known here")
            if not has_value:
                continue
        if takes and not has_value:
            value = next(rest, "")
        _option(option, value, installer, parts)


def _option(option: str, value: str, installer: str, parts: _Parts) -> None:
    wrong = options.wrong_choice(option, value)
    if wrong:
        parts.not_read.append(wrong)
    elif installer in CONDA and option in options.CHANNELS:
        parts.channels.append(value)
    elif installer == "conda" and option in options.CONDA_FILES:
        parts.files.append((value, False))
    elif installer == "conda" and option in ("-n", "--name", "-p", "--prefix"):
        parts.kept += [option, value]
    elif option in options.INDEX_URLS:
        parts.indexes.append(value)
        parts.has_main_index = False
    elif option in options.EXTRA_INDEX_URLS:
        # uv and poetry accept `name=address`.
        parts.indexes.append(re.sub(r"^[\w-]+=(?=https?:)", "", value))
    elif option in options.FIND_LINKS:
        parts.pages.append(value)
    elif option in options.REQUIREMENT_FILES:
        parts.files.append((value, False))
    elif option in options.CONSTRAINT_FILES:
        parts.files.append((value, True))
    elif option in options.EDITABLE:
        parts.projects.append(value)
    elif option in options.PYTHONS:
        parts.python = python_version(value) or parts.python
        parts.kept += [option, value]
    elif option in options.PLATFORMS:
        if "linux" not in value or "aarch64" in value:
            parts.not_read.append(f"{option} {value}: the tables hold Linux on x86-64 alone")
        parts.kept += [option, value]
    elif option == "--torch-backend":
        parts.backend = "" if value == "auto" else value
    elif option in ("--pre", "--allow-prereleases"):
        parts.is_prerelease = True
        parts.kept.append(option)
    elif option == "--no-index":
        parts.has_main_index = False
        parts.kept.append(option)
    elif options.takes_value(option, installer):
        parts.kept += [option, value]
    else:
        parts.kept.append(option)


def _requirement(word: str, installer: str, parts: _Parts) -> None:
    if installer in CONDA and not _LOCAL.match(word):
        found = conda_wish(word)
        if found is None:
            raise NotACommand(f"{word!r} is no package of conda (expected name=1.2 or name>=1.2)")
        if found.name == "python":
            parts.python = python_version(found.ranges.lstrip("=").removesuffix(".*"))
        parts.wishes.append(found)
        return
    wheel = wheel_wish(word) if word.partition("#")[0].partition("?")[0].endswith(".whl") else None
    if wheel is not None:
        parts.wishes.append(wheel)
        return
    if _REMOTE.match(word):
        named = re.search(r"#(?:.*&)?egg=([\w.-]+)", word)
        if named is None:
            parts.not_read.append(f"{word}: what this address installs cannot be told from it")
        else:
            parts.wishes.append(Wish(name=named[1].lower(), text=word))
        return
    if _LOCAL.match(word) or word == ".":
        if re.search(r"\.(?:whl|zip|tar\.gz|tgz)$", word):
            parts.not_read.append(f"{word}: the name of this file shows no version")
        else:
            parts.projects.append(word)
        return
    if installer == "uv" and re.search(r"\.(?:txt|in|toml)$", word):
        # `uv pip compile requirements.in`, `uv pip sync requirements.txt`
        parts.files.append((word, False))
        return
    # poetry and pdm write `name@version`, which is no direct reference.
    pinned = re.fullmatch(r"([\w.-]+(?:\[[^\]]*\])?)@([\d^~*][\w.+*]*|latest)", word)
    if pinned:
        version = "" if pinned[2] in ("latest", "*") else pinned[2]
        word = f"{pinned[1]}{poetry_ranges(version)}"
    found = wish(word)
    if found is None:
        raise NotACommand(f"{word!r} is no requirement (expected a name and a version, name==1.2)")
    parts.wishes.append(found)


def _bare(text: str) -> str:
    joined = re.sub(r"\\\r?\n", " ", text.strip())
    bare = re.sub(r"^\s*(?:[!%$]|>>>)\s*", "", joined)
    return re.sub(r"^(?:RUN|sudo|-\s+run:|run:)\s+(?:-\w\s+)*", "", bare)


def _assignments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables set before a command, and the command without them and `sudo`."""
    found: dict[str, str] = {}
    for index, word in enumerate(words):
        if _ASSIGNMENT.fullmatch(word) and "==" not in word:
            name, _, value = word.partition("=")
            found[name] = value
        elif word not in ("sudo", "env", "exec", "time", "-H", "-E"):
            return found, words[index:]
    return found, []


def _variables(variables: dict[str, str], parts: _Parts) -> None:
    for name, value in variables.items():
        if name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
            _option("--index-url", value, "pip", parts)
        elif name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX"):
            for address in value.split():
                _option("--extra-index-url", address, "pip", parts)
        elif name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
            parts.pages += value.split()
        elif name == "UV_TORCH_BACKEND":
            _option("--torch-backend", value, "uv", parts)


def _start(words: list[str]) -> int | None:
    """Return where the arguments of an install command begin, None for another command."""
    skipped = len(words) - len(_assignments(words)[1])
    place = skipped
    if place >= len(words):
        return None
    name = re.split(r"[/\\]", words[place])[-1]
    if _PYTHON.fullmatch(name):
        place += 1
        while place < len(words) and words[place] != "-m":
            if not words[place].startswith("-"):
                return None
            place += 1
        place += 1
        if place >= len(words) or not _TOOLS.fullmatch(words[place]):
            return None
    elif not _TOOLS.fullmatch(name.removesuffix(".exe")):
        return None
    for index in range(place + 1, min(len(words), place + 8)):
        if words[index] in _VERBS:
            is_more = words[index] == "install" and words[index + 1 : index + 2] == ["install"]
            return index - skipped + 1 + is_more
    return None


def _is_tool(words: list[str]) -> bool:
    name = re.split(r"[/\\]", words[0])[-1].removesuffix(".exe") if words else ""
    return bool(_TOOLS.fullmatch(name)) or (bool(_PYTHON.fullmatch(name)) and len(words) > 1)


def _installer(head: list[str]) -> str:
    names = [re.split(r"[/\\]", word)[-1] for word in head]
    for name in names:
        if name in ("conda", "mamba", "micromamba"):
            return "conda"
        if name in ("uv", "poetry", "pixi", "pdm", "pipenv"):
            return name
    return "pip"


def _python_of(head: list[str]) -> Python | None:
    """Return the Python in `python3.13 -m pip` or `pip3.13`, None where no minor version stands."""
    for word in head:
        name = re.split(r"[/\\]", word)[-1]
        found = re.fullmatch(r"(?:python|pip|-)(\d)\.(\d+)", name)
        if found:
            return int(found[1]), int(found[2])
    return None
