"""Reads pyproject.toml: the standard tables and those of uv, poetry, setuptools and other tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostics.lint.options import wrong_choice
from diagnostics.lint.pixi import pixi_plans
from diagnostics.lint.plan import Plan, Reading, Wish, index_variant, marker_variables, wish
from diagnostics.lint.specifiers import poetry_ranges
from diagnostics.lint.tables import as_list, read_toml, table, wishes_of
from diagnostics.requirement import applies, normalise

FileReader = Callable[[Path], Reading]

SOME_LINUX = marker_variables((3, 12))
"""For the markers of uv's sources, which tell systems apart and hardly ever Pythons."""


def pyproject(path: Path, read_file: FileReader) -> Reading:
    """Return one plan for the dependencies, and one per extra and group with them."""
    data = read_toml(path)
    reading = Reading()
    tool, project = table(data, "tool"), table(data, "project")
    uv, poetry = table(tool, "uv"), table(tool, "poetry")
    sources = _Sources(uv, poetry)
    base = wishes_of(project.get("dependencies"), f"{path} dependencies", reading)
    base += _poetry(table(poetry, "dependencies"), f"{path} poetry", reading)
    bounds = [
        replace(item, is_constraint=True)
        for key in ("constraint-dependencies", "override-dependencies")
        for item in wishes_of(uv.get(key), f"{path} {key}", reading)
    ]
    requires = str(project.get("requires-python") or _poetry_python(poetry))
    shape = Plan(
        wishes=(),
        source=str(path),
        indexes=sources.shared,
        has_main_index=not sources.replaces_main,
        installer="uv" if uv else "poetry" if poetry else "pip",
        requires_python=requires,
        resolves_for_all=bool(uv or poetry),
        backend=_backend(uv, path, reading),
    )
    extras = table(project, "optional-dependencies")
    groups = _groups(data, reading, path)
    dynamic = _dynamic(path, project, tool, read_file, reading)
    base += dynamic
    plans = [_placed(shape, str(path), base, bounds, sources, "")]
    for name, lines in extras.items():
        own = wishes_of(lines, f"{path} {name}", reading)
        if own:
            plans.append(_placed(shape, f"{path} [{name}]", [*own, *base], bounds, sources, name))
    for name, own in groups.items():
        if own:
            plans.append(_placed(shape, f"{path} [{name}]", [*own, *base], bounds, sources, name))
    for name, group in table(poetry, "group").items():
        own = _poetry(table(group, "dependencies"), f"{path} poetry {name}", reading)
        if own:
            plans.append(_placed(shape, f"{path} [{name}]", [*own, *base], bounds, sources, name))
    dev = _poetry(table(poetry, "dev-dependencies"), f"{path} poetry dev", reading)
    dev += wishes_of(uv.get("dev-dependencies"), f"{path} dev-dependencies", reading)
    if dev:
        plans.append(_placed(shape, f"{path} [dev]", [*dev, *base], bounds, sources, "dev"))
    plans += pixi_plans(table(tool, "pixi"), path, reading)
    build = wishes_of(table(data, "build-system").get("requires"), f"{path} build-system", reading)
    if build:
        # Built in an environment of its own: nothing of the project is beside it.
        plans.append(Plan(wishes=tuple(build), source=f"{path} [build-system]"))
    for name, own in _other_tools(tool, path, reading):
        plans.append(_placed(shape, f"{path} [{name}]", [*own, *base], bounds, sources, name))
    if not {"project", "tool", "dependency-groups", "build-system"} & set(data):
        raise ValueError(f"{path}: not read, it is no pyproject.toml (no [project], no [tool])")
    reading.plans += plans
    return reading


def _placed(
    shape: Plan,
    source: str,
    wishes: list[Wish],
    bounds: list[Wish],
    sources: _Sources,
    group: str,
) -> Plan:
    """Return a plan of these requirements, each with the index that the project gives it."""
    placed = [
        replace(item, index=sources.variant_of(item.name, group) or item.index) for item in wishes
    ]
    names = {item.name for item in wishes}
    bound = [item for item in bounds if item.name in names]
    return replace(shape, wishes=(*placed, *bound), source=source)


class _Sources:
    """The indexes of a project: shared ones, and those that belong to one package or extra."""

    def __init__(self, uv: dict[str, Any], poetry: dict[str, Any]) -> None:
        named: dict[str, str] = {}
        shared: list[str] = []
        self.replaces_main = False
        for row in [*as_list(uv.get("index")), *as_list(poetry.get("source"))]:
            if isinstance(row, dict) and isinstance(row.get("url"), str):
                named[str(row.get("name", ""))] = row["url"]
                if not row.get("explicit") and row.get("priority") != "explicit":
                    shared.append(row["url"])
                self.replaces_main |= bool(row.get("default"))
        pip = table(uv, "pip")
        for settings in (uv, pip):
            for key in ("index-url", "extra-index-url"):
                value = settings.get(key)
                shared += [value] if isinstance(value, str) else as_list(value)
            self.replaces_main |= isinstance(settings.get("index-url"), str)
        self.shared = tuple(str(address) for address in shared)
        self.by_package: dict[str, list[tuple[str, str]]] = {}
        for package, source in table(uv, "sources").items():
            for entry in source if isinstance(source, list) else [source]:
                if not isinstance(entry, dict) or entry.get("index") not in named:
                    continue
                group = str(entry.get("extra") or entry.get("group") or "")
                if "marker" in entry and not applies(str(entry["marker"]), SOME_LINUX):
                    continue
                variant = index_variant(named[str(entry["index"])])
                self.by_package.setdefault(normalise(package), []).append((group, variant))
        for declared in (table(poetry, "dependencies"), *_poetry_groups(poetry)):
            for package, value in declared.items():
                if isinstance(value, dict) and value.get("source") in named:
                    variant = index_variant(named[str(value["source"])])
                    self.by_package.setdefault(normalise(package), []).append(("", variant))

    def variant_of(self, package: str, group: str) -> str:
        """Return the variant of the index that serves a package in an extra or group."""
        rows = self.by_package.get(package, [])
        fitting = [variant for name, variant in rows if name in ("", normalise(group), group)]
        return fitting[0] if len(set(fitting)) == 1 else ""


def _poetry_groups(poetry: dict[str, Any]) -> list[dict[str, Any]]:
    return [table(group, "dependencies") for group in table(poetry, "group").values()]


def _backend(uv: dict[str, Any], path: Path, reading: Reading) -> str:
    value = table(uv, "pip").get("torch-backend", uv.get("torch-backend"))
    if not isinstance(value, str):
        return ""
    wrong = wrong_choice("--torch-backend", value)
    reading.not_read += [f"{path}: {wrong}"] if wrong else []
    return "" if wrong or value == "auto" else value


def _groups(data: dict[str, Any], reading: Reading, path: Path) -> dict[str, list[Wish]]:
    """Return the dependency groups (PEP 735) with those that they include."""
    tables = table(data, "dependency-groups")

    def lines(name: str, seen: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for line in as_list(tables.get(name)):
            if isinstance(line, str):
                found.append(line)
            elif isinstance(line, dict) and isinstance(line.get("include-group"), str):
                other = line["include-group"]
                found += lines(other, (*seen, name)) if other not in seen else []
        return found

    return {name: wishes_of(lines(name, ()), f"{path} {name}", reading) for name in tables}


def _dynamic(
    path: Path,
    project: dict[str, Any],
    tool: dict[str, Any],
    read_file: FileReader,
    reading: Reading,
) -> list[Wish]:
    """Return dependencies that a project declares elsewhere (`dynamic`)."""
    if "dependencies" not in as_list(project.get("dynamic")):
        return []
    declared = table(table(table(tool, "setuptools"), "dynamic"), "dependencies").get("file")
    names = [declared] if isinstance(declared, str) else [str(n) for n in as_list(declared)]
    beside = [n for n in ("setup.cfg", "setup.py") if (path.parent / n).is_file()]
    found: list[Wish] = []
    for name in names or beside[:1]:
        place = path.parent / name
        if not place.is_file():
            reading.not_read.append(f"{path}: its dependencies are in {name}, which is not there")
            continue
        other = read_file(place)
        reading.not_read += other.not_read
        found += other.plans[0].wishes if other.plans else ()
    if not names and not beside:
        reading.not_read.append(f"{path}: its dependencies are made when it is built (`dynamic`)")
    return found


def _poetry(declared: dict[str, Any], where: str, reading: Reading) -> list[Wish]:
    found = []
    for name, value in declared.items():
        if name == "python":
            continue
        for entry in value if isinstance(value, list) else [value]:
            item = _poetry_wish(name, entry, where, reading)
            if item is not None:
                found.append(item)
    return found


def _poetry_wish(name: str, value: object, where: str, reading: Reading) -> Wish | None:
    row = value if isinstance(value, dict) else {"version": value}
    text = row.get("version")
    if "url" in row:
        return wish(f"{name} @ {row['url']}", where)
    if text is None and ({"git", "path", "file"} & set(row)):
        return Wish(name=normalise(name), text=f"{name} = {value}", where=where)
    if not isinstance(text, str):
        reading.not_read.append(f"{where}: {name} = {value!r}")
        return None
    try:
        item = wish(f"{name}{poetry_ranges(text)}", where)
    except ValueError as error:
        reading.not_read.append(f"{where}: {name} = {error}")
        return None
    if item is None:
        reading.not_read.append(f"{where}: {name} = {text!r}")
        return None
    marker = str(row.get("markers", ""))
    python = row.get("python")
    if isinstance(python, str):
        clauses = [
            f"python_version {sign} '{bound}'"
            for sign, bound in re.findall(r"([<>=!~]+)\s*([\d.]+)", poetry_ranges(python))
        ]
        marker = " and ".join([*clauses, *([f"({marker})"] if marker else [])])
    return replace(item, marker=marker, text=f'{name} = "{text}"')


def _poetry_python(poetry: dict[str, Any]) -> str:
    value = table(poetry, "dependencies").get("python")
    try:
        return poetry_ranges(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


READ_TOOLS = frozenset({"uv", "poetry", "pixi", "setuptools"})
"""Tables below [tool] whose dependencies have a reader of their own."""


def _other_tools(
    tool: dict[str, Any], path: Path, reading: Reading
) -> Iterator[tuple[str, list[Wish]]]:
    """Yield lists of requirements in the tables of other tools, such as hatch and pdm."""

    def walk(node: dict[str, Any], where: str) -> Iterator[tuple[str, list[Wish]]]:
        for key, value in node.items():
            place = f"{where}.{key}"
            if re.fullmatch(r"(?:[\w-]+-)?dependencies", key) or "dependencies" in where:
                if isinstance(value, list):
                    yield place, wishes_of(value, f"{path} {place}", reading)
                    continue
                if isinstance(value, str):
                    reading.not_read.append(f"{path}: {place} = {value!r}")
                    continue
            if isinstance(value, dict):
                yield from walk(value, place)

    for name in tool:
        if name not in READ_TOOLS:
            yield from walk(table(tool, name), f"tool.{name}")
