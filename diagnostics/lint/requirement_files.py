"""Reads the files that install commands are made of: requirements, projects, locks, images."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from diagnostics.lint import command, options
from diagnostics.lint.conda import environment_file
from diagnostics.lint.dockerfile import is_dockerfile, read_dockerfile
from diagnostics.lint.lock_files import LOCKS
from diagnostics.lint.pixi import pixi_toml
from diagnostics.lint.plan import Plan, Reading, Wish, wheel_wish, wish
from diagnostics.lint.pyproject import pyproject
from diagnostics.lint.setup_files import pipfile, setup_cfg, setup_py

MAX_DEPTH = 8
"""How deep requirement files may include each other."""

_SPECIAL = re.compile(r"(--?[\w-]+)(?:\s*=\s*|\s+|$)(.*)")


def read(path: Path) -> Reading:
    """Return the plans of a file, or of the project in a folder.

    Raises OSError when the file cannot be read, ValueError when its format is broken or unknown.
    """
    if path.is_dir():
        return _folder(path)
    reader = _reader(path)
    if reader is None:
        raise ValueError(
            f"{path}: not read, this kind of file is not known here (expected requirements.txt, "
            "pyproject.toml, setup.py, setup.cfg, Pipfile, environment.yaml, a lock file, a "
            "Dockerfile or a notebook)"
        )
    return reader(path)


def _reader(path: Path) -> Callable[[Path], Reading] | None:
    name = path.name.lower()
    if name in LOCKS:
        return LOCKS[name]
    if is_dockerfile(name):
        return lambda place: read_dockerfile(place, read)
    if name == "pipfile":
        return pipfile
    if name == "setup.py":
        return setup_py
    if name == "setup.cfg":
        return lambda place: setup_cfg(place, read)
    if name == "pixi.toml":
        return pixi_toml
    if path.suffix == ".toml":
        return lambda place: pyproject(place, read)
    if path.suffix in (".yml", ".yaml"):
        return _yaml
    if path.suffix == ".ipynb":
        return _notebook
    if path.suffix in (".sh", ".bash"):
        return _script
    return _requirements_file if path.suffix in (".txt", ".in", ".pip", "") else None


def _folder(path: Path) -> Reading:
    for name in ("pyproject.toml", "setup.cfg", "setup.py"):
        place = path / name
        if place.is_file():
            found = read(place)
            if found.plans or found.not_read:
                return found
    raise ValueError(f"{path}: not read, there is no pyproject.toml, setup.cfg or setup.py in it")


def _yaml(path: Path) -> Reading:
    text = path.read_text("utf-8", "replace")
    if not re.search(r"^dependencies:", text, re.MULTILINE):
        raise ValueError(
            f"{path}: not read, of YAML files only conda's environment files are known here"
        )
    return environment_file(path, requirement_lines)


def _requirements_file(path: Path) -> Reading:
    return _requirements(path, set(), 0)


def _requirements(path: Path, seen: set[Path], depth: int) -> Reading:
    place = path.resolve()
    if depth > MAX_DEPTH or place in seen:
        return Reading(plans=[Plan(wishes=(), source=str(path))])
    seen.add(place)
    text = path.read_text("utf-8-sig", "replace")
    return requirement_lines(path, logical_lines(text), seen, depth)


def requirement_lines(
    path: Path,
    lines: Iterable[tuple[int, str]],
    seen: set[Path] | None = None,
    depth: int = 0,
) -> Reading:
    """Return one plan for lines of pip's requirements format; includes start from the folder."""
    reading = Reading()
    seen = set() if seen is None else seen
    plan = Plan(wishes=(), source=str(path))
    constraints: list[Wish] = []
    for number, line in lines:
        where = f"{path}:{number}"
        if line.startswith("-"):
            plan = _special(line, where, path, plan, constraints, reading, seen, depth)
        elif command.looks_like_command(line):
            found = command.read(line, read, path.parent)
            reading.not_read += [f"{where}: {reason}" for reason in found.not_read]
            for other in found.plans:
                plan = _joined(plan, other)
        else:
            item = _requirement(line, where)
            if item is None:
                reading.not_read.append(f"{where}: {line!r} is no requirement (name==1.2)")
            else:
                plan = replace(plan, wishes=(*plan.wishes, item))
    bound = command.binding(list(plan.wishes), constraints)
    reading.plans.append(replace(plan, wishes=(*plan.wishes, *bound)))
    return reading


def _requirement(line: str, where: str) -> Wish | None:
    if re.search(r"\.whl(?:[#?\s;]|$)", line) and " @ " not in line:
        return wheel_wish(line.partition(";")[0].strip(), where)
    if re.search(r"#(?:.*&)?egg=", line):
        named = re.search(r"#(?:.*&)?egg=([\w.-]+)", line)
        return Wish(name=named[1].lower(), text=line, where=where) if named else None
    return wish(line, where)


def _special(
    line: str,
    where: str,
    path: Path,
    plan: Plan,
    constraints: list[Wish],
    reading: Reading,
    seen: set[Path],
    depth: int,
) -> Plan:
    """Return the plan with one line that begins with an option."""
    glued = re.match(r"(-[rcfie])([^-\s=].*)", line)
    found = _SPECIAL.match(line)
    option, value = glued.groups() if glued else found.groups() if found else (line, "")
    value = value.strip().strip("'\"")
    if option in options.INDEX_URLS:
        return replace(plan, indexes=(*plan.indexes, value), has_main_index=False)
    if option in options.EXTRA_INDEX_URLS:
        return replace(plan, indexes=(*plan.indexes, value))
    if option in options.FIND_LINKS:
        return replace(plan, pages=(*plan.pages, value))
    if option == "--pre":
        return replace(plan, is_prerelease=True)
    if option == "--no-index":
        return replace(plan, has_main_index=False)
    if option in options.REQUIREMENT_FILES | options.CONSTRAINT_FILES:
        target = path.parent / value
        if not target.is_file():
            reading.not_read.append(f"{where}: there is no file {value}")
            return plan
        inner = _requirements(target, seen, depth + 1)
        reading.not_read += inner.not_read
        for other in inner.plans:
            if option in options.CONSTRAINT_FILES:
                constraints += other.wishes
            else:
                plan = _joined(plan, other)
        return plan
    if option in options.EDITABLE:
        named = _requirement(value, where)
        if named is not None and "egg=" in value:
            return replace(plan, wishes=(*plan.wishes, named))
        target = path.parent / re.sub(r"\[[^\]]*\]$", "", value)
        if target.is_dir():
            try:
                inner = _folder(target)
            except ValueError as error:
                reading.not_read.append(f"{where}: {error}")
                return plan
            reading.not_read += inner.not_read
            return _joined(plan, inner.plans[0]) if inner.plans else plan
        reading.not_read.append(f"{where}: {value}: what this installs cannot be told from it")
        return plan
    if options.takes_value(option, "pip") is None:
        reading.not_read.append(f"{where}: the option {option} is not known here")
    return plan


def _joined(plan: Plan, other: Plan) -> Plan:
    return replace(
        plan,
        wishes=(*plan.wishes, *other.wishes),
        indexes=(*plan.indexes, *other.indexes),
        pages=(*plan.pages, *other.pages),
        has_main_index=plan.has_main_index and other.has_main_index,
        python=plan.python or other.python,
        backend=plan.backend or other.backend,
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (first line's number, content) without comments, hashes and joined continuations."""
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if pending else number
        line = re.sub(r"(^|\s)#.*$", "", raw)
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = re.sub(r"\s--(?:hash|config-settings|global-option)[= ]\S+", "", pending + line)
        pending = ""
        if whole.strip():
            yield start, whole.strip()
    if pending.strip():
        yield start, pending.strip()


def _notebook(path: Path) -> Reading:
    try:
        cells = json.loads(path.read_text("utf-8", "replace")).get("cells", [])
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no notebook: {error}") from None
    lines = [
        line
        for cell in cells
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
        for line in "".join(cell.get("source", [])).splitlines()
        if line.lstrip().startswith(("!", "%"))
    ]
    return _commands(path, lines)


def _script(path: Path) -> Reading:
    text = re.sub(r"\\\r?\n", " ", path.read_text("utf-8", "replace"))
    return _commands(path, text.splitlines())


def _commands(path: Path, lines: list[str]) -> Reading:
    """Return the plans of the install commands among lines of shell."""
    reading = Reading()
    for line in lines:
        if command.looks_like_command(line):
            try:
                reading.add(command.read(line, read, path.parent))
            except command.NotACommand as error:
                reading.not_read.append(f"{path}: {line.strip()}: {error}")
    reading.plans = [replace(plan, source=str(path), is_command=False) for plan in reading.plans]
    return reading
