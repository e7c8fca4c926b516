"""Reads setup.cfg, setup.py (its source; it is never run) and Pipfile."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostics.lint.plan import Plan, Reading, Wish, index_variant, wish
from diagnostics.lint.specifiers import python_version
from diagnostics.lint.tables import as_list, read_toml, table, wishes_of

FileReader = Callable[[Path], Reading]


def pipfile(path: Path) -> Reading:
    """Return the packages of a Pipfile, those for development with them."""
    data = read_toml(path)
    reading = Reading()
    addresses = {
        str(row.get("name", "")): str(row.get("url", ""))
        for row in as_list(data.get("source"))
        if isinstance(row, dict)
    }
    python = python_version(str(table(data, "requires").get("python_version", "")))
    packages = _pipfile_wishes(table(data, "packages"), addresses, path, reading)
    develop = _pipfile_wishes(table(data, "dev-packages"), addresses, path, reading)
    plan = Plan(
        wishes=tuple(packages),
        source=str(path),
        indexes=tuple(list(addresses.values())[:1]),
        installer="pipenv",
        python=python,
    )
    reading.plans.append(plan)
    if develop:
        together = (*packages, *develop)
        reading.plans.append(replace(plan, wishes=together, source=f"{path} [dev]"))
    return reading


def _pipfile_wishes(
    declared: dict[str, Any], addresses: dict[str, str], path: Path, reading: Reading
) -> list[Wish]:
    found = []
    for name, value in declared.items():
        row = value if isinstance(value, dict) else {"version": value}
        version = str(row.get("version", "*"))
        target = row.get("file") or row.get("path")
        text = f"{name} @ {target}" if target else f"{name}{'' if version == '*' else version}"
        item = wish(text, str(path), index_variant(addresses.get(str(row.get("index")), "")))
        if item is None:
            reading.not_read.append(f"{path}: {name} = {value!r}")
        else:
            found.append(replace(item, marker=str(row.get("markers", ""))))
    return found


def setup_cfg(path: Path, read_file: FileReader) -> Reading:
    """Return what `[options]` of a setup.cfg asks for, and one plan per extra."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8", "replace"))
    except configparser.Error as error:
        raise ValueError(f"{path} cannot be parsed: {error}".splitlines()[0]) from None
    reading = Reading()
    text = parser.get("options", "install_requires", fallback="")
    beside = path.parent / "setup.py"
    if not text.strip() and beside.is_file():
        return read_file(beside)
    base = _cfg_wishes(text, path, "install_requires", read_file, reading)
    requires = parser.get("options", "python_requires", fallback="")
    shape = Plan(wishes=tuple(base), source=str(path), requires_python=requires)
    reading.plans.append(shape)
    if parser.has_section("options.extras_require"):
        for name, lines in parser.items("options.extras_require"):
            own = _cfg_wishes(lines, path, name, read_file, reading)
            source = f"{path} [{name}]"
            reading.plans.append(replace(shape, wishes=(*own, *base), source=source))
    return reading


def _cfg_wishes(
    text: str, path: Path, where: str, read_file: FileReader, reading: Reading
) -> list[Wish]:
    stated = re.fullmatch(r"\s*file:\s*(.+?)\s*", text, re.DOTALL)
    if not stated:
        lines = [line for line in text.splitlines() if line.strip()]
        return wishes_of(lines, f"{path} {where}", reading)
    found: list[Wish] = []
    for name in re.split(r"[,\n]\s*", stated[1]):
        place = path.parent / name.strip()
        if place.is_file():
            other = read_file(place)
            reading.not_read += other.not_read
            found += other.plans[0].wishes if other.plans else ()
        else:
            reading.not_read.append(f"{path}: there is no file {name.strip()}")
    return found


def setup_py(path: Path) -> Reading:
    """Return what the call of `setup()` asks for, read from the source; nothing is run.

    Lists of constants and sums of them are followed, also through names of the module; what is
    computed in another way is in `not_read`.
    """
    try:
        tree = ast.parse(path.read_text("utf-8", "replace"))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is no Python: {error}") from None
    names: dict[str, ast.expr] = {}
    calls = []
    changed = _changed_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value
        elif isinstance(node, ast.Call) and _called(node.func) == "setup":
            calls.append(node)
    reading = Reading()
    used = {n.id for call in calls[-1:] for n in ast.walk(call) if isinstance(n, ast.Name)}
    used |= {
        n.id for name in used & set(names) for n in ast.walk(names[name]) if isinstance(n, ast.Name)
    }
    reading.not_read += [f"{path}: {name} is changed while it runs" for name in used & changed]
    if not calls:
        raise ValueError(f"{path}: not read, there is no call of setup() in it")
    keywords = {item.arg: item.value for item in calls[-1].keywords if item.arg}
    if any(item.arg is None for item in calls[-1].keywords):
        reading.not_read.append(f"{path}: setup(**...) takes arguments that cannot be read")
    requires = _strings(keywords.get("python_requires"), names) or [""]
    base = _stated(keywords.get("install_requires"), names, path, "install_requires", reading)
    shape = Plan(wishes=tuple(base), source=str(path), requires_python=requires[0])
    reading.plans.append(shape)
    extras = keywords.get("extras_require")
    extras = names.get(extras.id, extras) if isinstance(extras, ast.Name) else extras
    if isinstance(extras, ast.Dict):
        for key, value in zip(extras.keys, extras.values, strict=True):
            name = str(key.value) if isinstance(key, ast.Constant) else "extra"
            own = _stated(value, names, path, name, reading)
            source = f"{path} [{name}]"
            reading.plans.append(replace(shape, wishes=(*own, *base), source=source))
    elif extras is not None:
        reading.not_read.append(f"{path}: extras_require is computed")
    return reading


def _changed_names(tree: ast.AST) -> set[str]:
    """Return the names whose lists or tables are changed after they were made."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                found.add(target.value.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_change = node.func.attr in ("append", "extend", "insert", "remove", "update", "pop")
            if is_change and isinstance(node.func.value, ast.Name):
                found.add(node.func.value.id)
    return found


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _stated(
    value: ast.expr | None, names: dict[str, ast.expr], path: Path, what: str, reading: Reading
) -> list[Wish]:
    if value is None:
        return []
    lines = _strings(value, names)
    if lines is None:
        reading.not_read.append(f"{path}: {what} is computed")
        return []
    split = [part for line in lines for part in line.splitlines() if part.strip()]
    return wishes_of(split, f"{path} {what}", reading)


def _strings(
    value: ast.expr | None, names: dict[str, ast.expr], depth: int = 0
) -> list[str] | None:
    """Return the strings that an expression of constants makes, None when it is computed."""
    if depth > 8:
        return None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    if isinstance(value, ast.Name):
        return _strings(names.get(value.id), names, depth + 1)
    if isinstance(value, ast.JoinedStr):
        parts = [
            _strings(p.value if isinstance(p, ast.FormattedValue) else p, names, depth + 1)
            for p in value.values
        ]
        if any(part is None or len(part) != 1 for part in parts):
            return None
        return ["".join([part[0] for part in parts if part])]
    items: Iterable[ast.expr]
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        items = [item.value if isinstance(item, ast.Starred) else item for item in value.elts]
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        items = [value.left, value.right]
    else:
        return None
    found: list[str] = []
    for item in items:
        inner = _strings(item, names, depth + 1)
        if inner is None:
            return None
        found += inner
    return found
