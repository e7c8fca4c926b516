"""Worker side. A function or class of a user's Python file: a module, and inputs beside it, without a task."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from suite.catalog import CatalogError, module_from
from suite.origins.probe import described
from suite.origins.reference import PYTHON, Reference
from suite.spec import ModelSpec

EXAMPLE: Final = "example_inputs"
"""Name of the function, or value, of the file that gives the inputs."""


def describe(target: str) -> ModelSpec:
    """Return the record of `path:name`: what the built module answers on its example inputs.

    Raise CatalogError naming the file, and what was expected there.
    """
    path, _, name = target.rpartition(":")
    build = partial(build_model, path, name)
    inputs = partial(ready_inputs, path, name)
    return described(
        Reference(kind=PYTHON, target=target).model,
        build,
        inputs,
        where=f"{Path(path).name}:{name}",
    )


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record that `describe` made, with its functions again."""
    path, _, name = target.rpartition(":")
    return replace(
        record, build=partial(build_model, path, name), inputs=partial(ready_inputs, path, name)
    )


def build_model(path: str, name: str) -> Any:
    """Return the module that `name` of the file is, or builds; raise CatalogError if it gives none."""
    import torch

    found = _called(path, name)
    module = found[0] if isinstance(found, tuple) else found
    if not isinstance(module, torch.nn.Module):
        raise CatalogError(
            f"{Path(path).name}: {name}() returned {type(module).__name__}; expected a torch.nn.Module, or a tuple of"
            " a module and its inputs"
        )
    return module


def ready_inputs(path: str, name: str) -> Any:
    """Return the inputs: of example_inputs() in the file, else the second of what `name` returns."""
    import torch

    file = module_from(Path(path), option="--models")
    given = getattr(file, EXAMPLE, None)
    if given is not None:
        return given() if callable(given) else given
    found = _called(path, name)
    if isinstance(found, tuple) and len(found) == 2:
        return found[1]
    near = difflib.get_close_matches(EXAMPLE, dir(file), n=1, cutoff=0.6)
    mean = f" (did you mean to call `{near[0]}` so?)" if near else ""
    kind = type(found).__name__ if isinstance(found, torch.nn.Module) else name
    raise CatalogError(
        f"{Path(path).name}: no inputs for {kind}: expected a function {EXAMPLE}() in the file{mean} that returns a"
        f" tensor, a tuple, or a dictionary of tensors by argument of forward; or {name}() returning (module, inputs)"
    )


def _called(path: str, name: str) -> Any:
    """Return what the function or class `name` of the file returns, or the value itself if it is a module."""
    import torch

    file = module_from(Path(path), option="--models")
    found: Any = getattr(file, name, None)
    if found is None:
        own = [
            key for key, value in vars(file).items() if callable(value) and not key.startswith("_")
        ]
        near = difflib.get_close_matches(name, own, n=3, cutoff=0.5)
        raise CatalogError(
            f"{Path(path).name}: it has no `{name}`"
            + (f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(own[:8])}")
        )
    if isinstance(found, torch.nn.Module) or not callable(found):
        return found
    required = _required(found)
    if required:
        raise CatalogError(
            f"{Path(path).name}: {name}({', '.join(required)}) needs arguments; expected a function without: next:"
            f" def build(): return {name}(...)"
        )
    return found()


def _required(function: Callable[..., Any]) -> list[str]:
    import inspect

    try:
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    return [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
