"""Finds extension modules that need symbols of torch which no installed library of torch exports."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace

from diagnostics.facts.elf import NotElf
from diagnostics.facts.loader import Loader
from diagnostics.facts.procfs import names, text
from diagnostics.facts.symbol_table import SymbolTable
from diagnostics.records import Distribution, ForeignSymbols

TORCH_LIBRARIES = ("libtorch", "libc10", "libcaffe2", "libshm")
NUM_SYMBOLS = 4
"""Symbols that are kept of each module."""
_OF_TORCH = re.compile(
    rb"_Z(?:T[IVST]|GV)?N?[KVr]*(?:3c10|2at|5torch|6caffe2)|_Z\d+THP|THP|aoti_torch_|torch_"
)
"""Mangled names in torch's namespaces, and its C interfaces."""
_NEW_STRING = b"NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_OLD_STRING = b"Ss"
_NAMED = re.compile(r"(?:torch|pt)[-_]?(\d)\.?(\d{1,2})(?!\d)")


def foreign_symbols(
    libraries: dict[str, str], distributions: Iterable[Distribution], loader: Loader
) -> tuple[ForeignSymbols, ...]:
    """Return the modules that were built for another torch, one per distribution.

    Only modules all of whose libraries of torch are found count: a library that is missing is
    another fault, with a check of its own.
    """
    by_name: dict[str, Distribution] = {}
    for item in distributions:
        by_name.setdefault(item.name, item)
    found: dict[str, ForeignSymbols] = {}
    with ExitStack() as opened:
        tables: dict[str, SymbolTable | None] = {}
        for path, owner in libraries.items():
            header = loader.headers.get(path)
            if owner == "torch" or owner in found or header is None:
                continue
            asked = [name for name in header.needed if name.startswith(TORCH_LIBRARIES)]
            if not asked:
                continue
            providers = _providers(path, header.needed, asked, loader)
            if providers:
                row = _compare(path, providers, tables, opened)
                if row is not None:
                    built_for = _built_for(by_name.get(owner), path)
                    found[owner] = replace(row, distribution=owner, built_for=built_for)
    return tuple(found.values())


def _providers(
    path: str, needed: tuple[str, ...], asked: list[str], loader: Loader
) -> tuple[str, ...]:
    """Every library that may define what the module needs; () when one of torch's is missing."""
    resolved = {
        name: loader.find(name, (path,))[0] or _beside(name, path, loader) for name in needed
    }
    if not all(resolved[name] for name in asked):
        return ()
    folder = os.path.dirname(resolved[asked[0]])
    whole = [os.path.join(folder, n) for n in names(folder) if n.startswith(TORCH_LIBRARIES)]
    others = [found for found in resolved.values() if found and "torch" not in found]
    kept = [name for name in (*resolved.values(), *whole, *others) if name and ".so" in name]
    return tuple(dict.fromkeys(loader.real(name) for name in kept))


def _beside(name: str, path: str, loader: Loader) -> str:
    """torch's own folder of libraries: it is loaded before anyone asks for them by name."""
    known = (p for p in loader.headers if p.endswith(f"/torch/lib/{name}"))
    return next(known, "")


def _open(
    path: str, tables: dict[str, SymbolTable | None], opened: ExitStack
) -> SymbolTable | None:
    if path not in tables:
        try:
            tables[path] = opened.enter_context(SymbolTable(path))
        except (OSError, NotElf, ValueError):
            tables[path] = None
    return tables[path]


def _compare(
    path: str,
    providers: tuple[str, ...],
    tables: dict[str, SymbolTable | None],
    opened: ExitStack,
) -> ForeignSymbols | None:
    exporting = [table for p in providers if (table := _open(p, tables, opened)) is not None]
    try:
        with SymbolTable(path) as module:
            wanted = list(module.needed(_OF_TORCH))
    except (OSError, NotElf, ValueError):
        return None
    missing = [name for name in wanted if not any(table.exports(name) for table in exporting)]
    if not missing or len(exporting) < len(providers):
        return None
    other_strings = any(
        name != turned and any(table.exports(turned) for table in exporting)
        for name in missing
        for turned in (
            name.replace(_OLD_STRING, _NEW_STRING),
            name.replace(_NEW_STRING, _OLD_STRING),
        )
    )
    shown = tuple(name.decode(errors="replace") for name in missing[:NUM_SYMBOLS])
    return ForeignSymbols(
        distribution="",
        library=path,
        symbols=shown,
        num_symbols=len(missing),
        other_strings=other_strings,
    )


def _built_for(owner: Distribution | None, path: str) -> str:
    """The torch that a module was built for, such as `2.7`, where its package tells; else ""."""
    if owner is None:
        return ""
    # xformers writes it down.
    folder = os.path.dirname(path)
    for place in (folder, os.path.dirname(folder)):
        try:
            data = json.loads(text(os.path.join(place, "cpp_lib.json")) or "{}")
            return str(data["version"]["torch"])
        except (ValueError, KeyError, TypeError):
            continue
    address = text(os.path.join(owner.directory, "direct_url.json"))
    for said in (owner.version.partition("+")[2], address.replace("%2B", "+").rpartition("/")[2]):
        named = _NAMED.search(said)
        if named:
            return f"{named[1]}.{named[2]}"
    for line in owner.requires:
        pinned = re.match(r"torch\s*\(?==\s*([\d.]+)", line)
        if pinned:
            return pinned[1].rstrip(".")
    return ""
