"""Looks operators up in the tables of ONNX Runtime's schemas and of what its CPU provider refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from diagnostics.tables.version import numbers

SINGLE, OPTIONAL, VARIADIC = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Formal:
    """One declared input or output."""

    name: str
    type: str
    """A type such as `tensor(int64)`, or a type parameter such as `T`."""
    option: int
    """SINGLE, OPTIONAL or VARIADIC."""
    is_homogeneous: bool
    """False for a variadic one whose values may differ in type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One version of an operator."""

    since: int
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    constraints: dict[str, frozenset[str]]
    """Type parameter -> types that it may stand for."""
    attributes: dict[str, tuple[str, bool]]
    """Name -> (kind, whether it is required)."""
    num_inputs: tuple[int, int]
    num_outputs: tuple[int, int]
    """Fewest and most; -1 for any number."""

    def formal(self, position: int, *, output: bool = False) -> Formal | None:
        """Return the declaration of an input or output; the last one repeats when it is variadic."""
        rows = self.outputs if output else self.inputs
        if position < len(rows):
            return rows[position]
        return rows[-1] if rows and rows[-1].option == VARIADIC else None


@cache
def _schemas() -> dict[str, Any]:
    return _load("onnx_schemas.json")


@cache
def _kernels() -> dict[str, Any]:
    return _load("onnx_kernels.json")


def _load(name: str) -> dict[str, Any]:
    path = resources.files("diagnostics.tables").joinpath(name)
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return data


def domains() -> frozenset[str]:
    """Return the domains whose operators are in the table."""
    return frozenset(_schemas()["operators"])


def versions(domain: str, operator: str) -> tuple[int, ...]:
    """Return the opsets in which an operator came or changed; empty for an unknown operator."""
    rows = _schemas()["operators"].get(domain, {}).get(operator, [])
    return tuple(row[0] for row in rows)


def names(domain: str) -> tuple[str, ...]:
    """Return the operators of a domain."""
    return tuple(_schemas()["operators"].get(domain, ()))


@cache
def schema(domain: str, operator: str, opset: int) -> Schema | None:
    """Return the version of an operator that an opset uses, None when it has none."""
    rows = _schemas()["operators"].get(domain, {}).get(operator, [])
    fitting = [row for row in rows if row[0] <= opset]
    # A deprecated version is the operator's end.
    if not fitting or fitting[-1][7]:
        return None
    since, inputs, outputs, constraints, attributes, num_inputs, num_outputs, _ = fitting[-1]
    sets = _schemas()["type_sets"]
    return Schema(
        since=since,
        inputs=tuple(_formal(row) for row in inputs),
        outputs=tuple(_formal(row) for row in outputs),
        constraints={key: frozenset(sets[index].split()) for key, index in constraints.items()},
        attributes={key: (kind, bool(needed)) for key, (kind, needed) in attributes.items()},
        num_inputs=(num_inputs[0], num_inputs[1]),
        num_outputs=(num_outputs[0], num_outputs[1]),
    )


def _formal(row: list[Any]) -> Formal:
    name, kind, option, same = row
    return Formal(name=name, type=kind, option=option, is_homogeneous=bool(same))


def asked_releases() -> tuple[str, ...]:
    """Return the releases of ONNX Runtime that were asked for their kernels, oldest first."""
    return tuple(sorted(_kernels()["refused"], key=numbers))


def witnesses(runtime: str | None) -> tuple[str, ...]:
    """Return the asked releases that speak for a version: its own series, else both neighbours.

    Without a version the newest one speaks; empty for a version outside of what was asked.
    """
    asked = asked_releases()
    if runtime is None:
        return asked[-1:]
    same = [release for release in asked if numbers(release)[:2] == numbers(runtime)[:2]]
    if same:
        return (same[-1],)
    before = [release for release in asked if numbers(release) < numbers(runtime)]
    after = [release for release in asked if numbers(release) > numbers(runtime)]
    return (before[-1], after[0]) if before and after else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the CPU provider has no kernel for."""

    type: str
    """The type that is refused; empty when the operator is, with every type."""
    first: int
    """The first opset of those in which it is refused."""


def refusal(
    releases: tuple[str, ...], domain: str, operator: str, opset: int, types: dict[str, str]
) -> Refusal | None:
    """Return what all of `releases` refuse of an operator; None when one of them may run it.

    `types` maps type parameters to the types at hand.
    """
    answers = [_refused(release, domain, operator, opset, types) for release in releases]
    return None if not answers or None in answers else answers[0]


def _refused(
    release: str, domain: str, operator: str, opset: int, types: dict[str, str]
) -> Refusal | None:
    rows = _kernels()["refused"].get(release, {}).get(f"{domain}:{operator}", [])
    for first, last, param, kinds in rows:
        if not first <= opset <= last:
            continue
        if kinds == "*":
            return Refusal(type="", first=first)
        if types.get(param) and types[param] in kinds.split():
            return Refusal(type=types[param], first=first)
    return None


def asked_on(releases: Sequence[str]) -> str:
    """Return the days on which those releases were asked, each once."""
    days = _kernels()["dated"]
    return " and ".join(sorted({days[release] for release in releases if release in days}))
