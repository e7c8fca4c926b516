"""Reads pixi's tables, in a pixi.toml or in a pyproject.toml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from diagnostics.lint.conda import conda_wish
from diagnostics.lint.plan import Plan, Reading, Wish, wish
from diagnostics.lint.tables import as_list, read_toml, table


def pixi_toml(path: Path) -> Reading:
    """Return what a pixi.toml asks for."""
    reading = Reading()
    reading.plans += pixi_plans(read_toml(path), path, reading)
    return reading


def pixi_plans(pixi: dict[str, Any], path: Path, reading: Reading) -> list[Plan]:
    """Return a plan for pixi's dependencies, and one per feature with them."""
    channels = table(pixi, "workspace").get("channels") or table(pixi, "project").get("channels")
    base = _pixi_conda(table(pixi, "dependencies"), path, reading)
    pypi = _pixi_pypi(table(pixi, "pypi-dependencies"), path, reading)
    shape = Plan(
        wishes=tuple(base),
        source=f"{path} [pixi]",
        installer="pixi",
        channels=tuple(str(channel) for channel in as_list(channels)),
    )
    plans = [shape] if base else []
    plans += [Plan(wishes=tuple(pypi), source=f"{path} [pixi pypi]")] if pypi else []
    for name, feature in table(pixi, "feature").items():
        own = _pixi_conda(table(feature, "dependencies"), path, reading)
        wheels = _pixi_pypi(table(feature, "pypi-dependencies"), path, reading)
        source = f"{path} [pixi {name}]"
        plans += [replace(shape, wishes=(*own, *base), source=source)] if own else []
        plans += [Plan(wishes=(*wheels, *pypi), source=source)] if wheels else []
    return plans


def _pixi_conda(declared: dict[str, Any], path: Path, reading: Reading) -> list[Wish]:
    found = []
    for name, value in declared.items():
        text = value.get("version", "*") if isinstance(value, dict) else value
        item = conda_wish(f"{name}{text if str(text)[:1] in '=<>!~' else f'={text}'}")
        if text == "*":
            item = conda_wish(name)
        if item is None:
            reading.not_read.append(f"{path} pixi: {name} = {value!r}")
        else:
            found.append(replace(item, where=f"{path} pixi"))
    return found


def _pixi_pypi(declared: dict[str, Any], path: Path, reading: Reading) -> list[Wish]:
    found = []
    for name, value in declared.items():
        text = value.get("version", "*") if isinstance(value, dict) else value
        item = wish(f"{name}{'' if text == '*' else text}", f"{path} pixi")
        if item is None:
            reading.not_read.append(f"{path} pixi: {name} = {value!r}")
        else:
            found.append(item)
    return found
