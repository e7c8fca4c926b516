"""Worker side. The record of a job's model: of the catalogue, of the user's models file, or of its origin."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite import spec_codec
from suite.catalog import spec_for
from suite.origins.reference import KINDS, PYTHON, Reference
from suite.provenance import weights_of
from suite.spec import ModelSpec

if TYPE_CHECKING:
    from suite.worker.job_options import JobOptions, Origin
    from suite.worker.protocol import CellJob


def spec_of(job: CellJob) -> ModelSpec:
    """Return the record of the job's model; raise KeyError if there is none."""
    origin = job.options.origins.get(job.cell.model)
    if origin is None:
        return spec_for(job.cell.model, job.options.models_from)
    return with_functions(origin)


def own_file(options: JobOptions, model: str) -> Path | None:
    """Return the user's Python file that the model is built by, or None: what the keys of kept results cover."""
    origin = options.origins.get(model)
    if origin is None:
        return Path(options.models_from) if options.models_from else None
    kind, _, target = origin.text.partition(":")
    reference = Reference(kind=kind, target=target)
    return reference.path if kind == PYTHON else None


def files_facts(options: JobOptions, model: str) -> Any:
    """Return name, size and time of the files that the model is, or None: what keys of kept results cover."""
    origin = options.origins.get(model)
    if origin is None:
        return None
    kind, _, target = origin.text.partition(":")
    path = Reference(kind=kind, target=target).path
    return None if path is None or kind == PYTHON else weights_of(str(path))


def first_file(origins: Mapping[str, Origin]) -> Path | None:
    """Return the first file or saved folder that one of the origins names, or None: libraries are none."""
    for origin in origins.values():
        kind, _, target = origin.text.partition(":")
        path = Reference(kind=kind, target=target).path
        if path is not None and path.exists():
            return path
    return None


def with_functions(origin: Origin) -> ModelSpec:
    """Return the described record with the functions that its origin gives."""
    record = spec_codec.from_dict(origin.spec)
    kind, _, target = origin.text.partition(":")
    found: ModelSpec = import_module(KINDS[kind].module).completed(target, record)
    return found
