"""Reads conda's package specifications and environment files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from diagnostics.lint.plan import Plan, Reading, Wish

_SPEC = re.compile(
    r"(?:(?P<channel>[\w./:-]+)::)?(?P<name>[A-Za-z0-9_][\w.-]*)"
    r"(?:\s*(?P<ranges>(?:[=!<>~]=?|[\d*])[^\[\]=\s][^\[\]=\s]*(?:,\s*[=!<>~]+[^\[\]=\s,]+)*|\*))?"
    r"(?:[=\s](?P<build>[\w.*]+))?(?P<brackets>\[[^\]]*\])?"
)
_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cpu": "torch"}


def conda_wish(text: str, where: str = "") -> Wish | None:
    """Return the requirement in `pytorch=2.6`, `pytorch>=2.5,<2.7` or `pytorch 2.6.* *cuda*`.

    conda's single `=` means a prefix: `=2.6` allows 2.6.1. None when the text cannot be read.
    """
    found = _SPEC.fullmatch(text.strip())
    if found is None:
        return None
    ranges = found["ranges"] or ""
    inner = re.search(r"version=['\"]?([^'\"\],]+)", found["brackets"] or "")
    ranges = inner[1] if inner else ranges
    clauses = [_clause(part.strip()) for part in ranges.split(",") if part.strip() not in ("", "*")]
    if any("|" in clause for clause in clauses):
        return None
    name = found["name"].lower()
    return Wish(
        name=_NAMES.get(name, name), ranges=",".join(clauses), text=text.strip(), where=where
    )


def _clause(clause: str) -> str:
    found = re.fullmatch(r"([=!<>~]*)\s*(.*)", clause)
    sign, version = (found[1], found[2]) if found else ("", clause)
    if sign in ("", "="):
        is_prefix = (sign == "=" and version.count(".") < 2) or version.endswith("*")
        return f"=={version.rstrip('*').rstrip('.')}{'.*' if is_prefix else ''}"
    return f"{sign}{version}"


def environment_file(
    path: Path, requirement_lines: Callable[[Path, list[tuple[int, str]]], Reading]
) -> Reading:
    """Return what an `environment.yaml` asks for: conda's packages, and pip's below `pip:`.

    `requirement_lines` reads numbered lines in pip's format. Of YAML the part is read that such files use; every
    other line is in `not_read`.
    """
    reading = Reading()
    conda: list[Wish] = []
    pip_lines: list[tuple[int, str]] = []
    channels: list[str] = []
    section, in_pip, pip_indent = "", False, 0
    for number, raw in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if not line.strip() or line.strip() == "---":
            continue
        indent = len(line) - len(line.lstrip())
        where = f"{path}:{number}"
        key = re.fullmatch(r"([\w-]+):\s*(.*)", line)
        if key and not line.startswith((" ", "-")):
            section, in_pip = key[1], False
            items = _flow(key[2])
            if items is None and key[2] and section in ("dependencies", "channels"):
                reading.not_read.append(f"{where}: {line.strip()}")
            for item in items or []:
                _entry(item, section, where, conda, channels, reading)
            continue
        item_found = re.fullmatch(r"\s*-\s+(.*)", line)
        if item_found is None:
            if section in ("dependencies", "channels"):
                reading.not_read.append(f"{where}: {line.strip()}")
            continue
        text = _unquoted(item_found[1])
        if section == "dependencies" and re.fullmatch(r"pip:\s*", text):
            in_pip, pip_indent = True, indent
        elif in_pip and indent > pip_indent:
            pip_lines.append((number, text))
        else:
            in_pip = False
            _entry(text, section, where, conda, channels, reading)
    pip = requirement_lines(path, pip_lines)
    reading.not_read += pip.not_read
    python = next((item for item in conda if item.name == "python"), None)
    pinned = re.match(r"==(\d)\.(\d+)", python.ranges) if python else None
    version = (int(pinned[1]), int(pinned[2])) if pinned else None
    plan = Plan(
        wishes=tuple(conda),
        source=str(path),
        installer="conda",
        channels=tuple(channels),
        python=version,
    )
    reading.plans.append(plan)
    for found in pip.plans:
        if found.wishes:
            # pip installs into conda's environment: conda's torch is there already.
            family = tuple(item for item in conda if item.name in ("torch", "torchvision"))
            reading.plans.append(
                Plan(
                    wishes=found.wishes,
                    source=f"{path} (pip)",
                    indexes=found.indexes,
                    pages=found.pages,
                    has_main_index=found.has_main_index,
                    python=version,
                    present=family,
                )
            )
    return reading


def _entry(
    text: str,
    section: str,
    where: str,
    conda: list[Wish],
    channels: list[str],
    reading: Reading,
) -> None:
    if section == "channels":
        channels.append(text)
    elif section == "dependencies":
        found = conda_wish(text, where)
        if found is None:
            reading.not_read.append(f"{where}: {text!r} is no package of conda")
        else:
            conda.append(found)


def _flow(text: str) -> list[str] | None:
    """Return the items of `[a, b]`, None for another value."""
    found = re.fullmatch(r"\[(.*)\]", text.strip())
    return [_unquoted(part) for part in found[1].split(",") if part.strip()] if found else None


def _unquoted(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text
