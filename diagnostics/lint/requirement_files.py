"""Reads requirements.txt, pyproject.toml and the like."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from diagnostics.lint import command
from diagnostics.lint.plan import Plan, Wish, index_variant, wish

MAX_DEPTH = 8
"""How deep requirement files may include each other."""


class Unreadable(ValueError):
    """The file is not what its name says."""


def read(path: Path) -> list[Plan]:
    """The plans of a file: one for requirements, one per group of a pyproject.

    Raises OSError when the file cannot be read, Unreadable when its format is broken.
    """
    if path.suffix == ".toml":
        return _pyproject(path)
    wishes: list[Wish] = []
    indexes: list[str] = []
    _requirements(path, wishes, indexes, set(), 0)
    return [Plan(wishes=tuple(wishes), source=str(path), indexes=tuple(indexes))]


def _requirements(
    path: Path, wishes: list[Wish], indexes: list[str], seen: set[Path], depth: int
) -> None:
    place = path.resolve()
    if depth > MAX_DEPTH or place in seen:
        return
    seen.add(place)
    for number, line in logical_lines(path.read_text("utf-8", "replace")):
        where = f"{path}:{number}"
        option = re.match(r"(--?[\w-]+)(?:\s*=\s*|\s+|)(.*)", line)
        if line.startswith("-") and option:
            name, value = option[1], option[2].strip()
            if name in command.INDEX_OPTIONS:
                indexes.append(value)
            elif name in command.FILE_OPTIONS or re.match(r"-r\S", line):
                target = path.parent / (value or line[2:].strip())
                if target.is_file():
                    _requirements(target, wishes, indexes, seen, depth + 1)
            continue
        if command.looks_like_command(line):
            plan, _ = command.read(line)
            wishes += plan.wishes
            indexes += plan.indexes
            continue
        found = wish(line, where)
        if found is not None:
            wishes.append(found)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(first line's number, content) without comments, hashes and joined continuations."""
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


def _pyproject(path: Path) -> list[Plan]:
    try:
        data = tomllib.loads(path.read_text("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"{path} is no TOML: {error}") from None
    tool = _table(data, "tool")
    project = _table(data, "project")
    indexes, by_package = _uv_indexes(_table(tool, "uv"))
    base = _wishes(project.get("dependencies"), f"{path} dependencies", by_package)
    base += _poetry(_table(_table(tool, "poetry"), "dependencies"), path)
    groups = {
        **_table(project, "optional-dependencies"),
        **_table(data, "dependency-groups"),
    }
    plans = [Plan(wishes=tuple(base), source=str(path), indexes=indexes)]
    for name, lines in groups.items():
        own = _wishes(lines, f"{path} {name}", by_package)
        if own:
            source = f"{path} [{name}]"
            plans.append(Plan(wishes=(*own, *base), source=source, indexes=indexes))
    return plans


def _table(data: object, key: str) -> dict[str, object]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _wishes(lines: object, where: str, by_package: dict[str, str]) -> list[Wish]:
    found = []
    for line in lines if isinstance(lines, list) else []:
        item = wish(line, where) if isinstance(line, str) else None
        if item is not None:
            index = by_package.get(item.name, "")
            found.append(wish(item.text, where, index) or item)
    return found


def _poetry(table: dict[str, object], path: Path) -> list[Wish]:
    found = []
    for name, value in table.items():
        text = value.get("version") if isinstance(value, dict) else value
        if not isinstance(text, str) or name == "python":
            continue
        item = wish(f"{name}{_poetry_ranges(text)}", f"{path} poetry")
        if item is not None:
            found.append(item)
    return found


def _poetry_ranges(text: str) -> str:
    """`^2.1` -> `>=2.1,<3`, `2.1.0` -> `==2.1.0`, `*` -> any version."""
    caret = re.fullmatch(r"\^(\d+)((?:\.\d+)*)", text)
    if caret:
        return f">={text[1:]},<{int(caret[1]) + 1}"
    tilde = re.fullmatch(r"~(\d+)\.(\d+)((?:\.\d+)*)", text)
    if tilde:
        return f">={text[1:]},<{tilde[1]}.{int(tilde[2]) + 1}"
    return f"=={text}" if re.fullmatch(r"\d[\w.+]*", text) else "" if text == "*" else text


def _uv_indexes(uv: dict[str, object]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Indexes for all packages, and the variant of an index that belongs to one package."""
    shared: list[str] = []
    named: dict[str, str] = {}
    listed = uv.get("index")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            named[str(item.get("name", ""))] = item["url"]
            if not item.get("explicit"):
                shared.append(item["url"])
    by_package: dict[str, str] = {}
    for package, source in _table(uv, "sources").items():
        entries = source if isinstance(source, list) else [source]
        first = entries[0] if entries else None
        if isinstance(first, dict) and first.get("index") in named and len(entries) == 1:
            by_package[package.lower()] = index_variant(named[str(first["index"])])
    return tuple(shared), by_package
