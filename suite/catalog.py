"""The catalogue: built-in models, a user's models file, and lookup by name."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from diagnostics.did_you_mean import did_you_mean
from suite import lifecycle
from suite import spec as spec_module
from suite.spec import ModelSpec


class CatalogError(ValueError):
    """An invalid models file or model name; shown to the user without a traceback."""


@cache
def builtin_specs() -> tuple[ModelSpec, ...]:
    """Return every record of suite/models, by family in the order of the file names."""
    return tuple(spec for name in catalogue_modules() for spec in import_module(name).MODELS)


def catalogue_modules() -> list[str]:
    """Return the modules of suite/models, sorted."""
    from suite import models

    names = (module.name for module in pkgutil.iter_modules(models.__path__))
    return sorted(f"suite.models.{name}" for name in names)


def specs_in(path: Path) -> tuple[ModelSpec, ...]:
    """Return the records of a user's models file. Executes the file, so it is only called in workers.

    Raise CatalogError if the file does not exist, cannot be imported, or has no valid `MODELS`.
    """
    module = module_from(path, option="--models-from")
    models = getattr(module, "MODELS", None)
    if not isinstance(models, tuple | list) or not all(isinstance(m, ModelSpec) for m in models):
        raise CatalogError(
            f"--models-from {path}: needs `MODELS = (ModelSpec(...), ...)`"
            " with `from suite.spec import ModelSpec`"
        )
    if not models:
        raise CatalogError(f"--models-from {path}: MODELS is empty")
    return tuple(models)


def must_parse(path: Path, *, option: str) -> None:
    """Raise CatalogError if there is no such file, or it is not Python: at once, without importing anything."""
    if not path.is_file():
        raise CatalogError(
            f"{option} {path}: no such file; expected a Python file with MODELS".lstrip()
        )
    try:
        ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        place = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise CatalogError(
            f"{option} {path}: does not import: {type(error).__name__}: {reason}{place}".lstrip()
        ) from error


def module_from(path: Path, *, option: str) -> ModuleType:
    """Return the user's file as a module, executed once per process; raise CatalogError naming the file's own error."""
    must_parse(path, option=option)
    # A module name per path avoids clashes in sys.modules between files of the same name; it stays
    # importable for the classes defined in it (pickle, dataclasses and torch.export look there).
    name = f"vitals_models_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        module = sys.modules[name]
    else:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        sys.path.insert(0, str(path.resolve().parent))  # for imports of its neighbours
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            what = f"{type(error).__name__}: {error}{_meant_field(error)}"
            if isinstance(error, SystemExit):
                what = (
                    f"it calls sys.exit({error.code!r}) when it is imported; next: put that under `if __name__ =="
                    " '__main__':`"
                )
            raise CatalogError(f"{option} {path}: does not import: {what}") from error
    return module


_UNKNOWN_FIELD: Final = re.compile(
    r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'"
)


def _meant_field(error: BaseException) -> str:
    """Return "did you mean" for a field that a record does not have; else an empty text."""
    found = _UNKNOWN_FIELD.search(str(error)) if isinstance(error, TypeError) else None
    kind = found and (getattr(spec_module, found[1], None) or getattr(lifecycle, found[1], None))
    if found is None or not is_dataclass(kind):
        return ""
    return did_you_mean(found[2], [field.name for field in fields(kind)])


def spec_for(name: str, models_from: str = "") -> ModelSpec:
    """Return the record of that name, searching the user's file first; raise KeyError if there is none."""
    own = specs_in(Path(models_from)) if models_from else ()
    for spec in (*own, *builtin_specs()):
        if spec.name == name:
            return spec
    raise KeyError(name)


def joined(builtin: Sequence[ModelSpec], own: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """Return built-in and user records; raise CatalogError for a duplicate name."""
    specs = (*builtin, *own)
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise CatalogError(f"two models are called {spec.name!r}; rename the one in your file")
        seen.add(spec.name)
    return specs


def select(specs: Sequence[ModelSpec], patterns: Iterable[str]) -> tuple[ModelSpec, ...]:
    """Return the records whose names match one of the patterns (names or globs), in catalogue order.

    Without patterns, return all. Raise CatalogError with "did you mean" for a pattern without a match.
    """
    names = [spec.name for spec in specs]
    chosen: set[str] = set()
    asked = [p for pattern in patterns for p in pattern.replace(",", " ").split()]
    for pattern in asked:
        hits = fnmatch.filter(names, pattern)
        if not hits:
            raise CatalogError(f"--models {pattern}: no such model{did_you_mean(pattern, names)}")
        chosen.update(hits)
    return tuple(spec for spec in specs if not asked or spec.name in chosen)
