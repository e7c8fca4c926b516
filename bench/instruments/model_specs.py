"""Worker side. Models of an arm's own catalogue, and the versions of its libraries."""

from __future__ import annotations

import platform
from typing import Any

from bench.instruments.options import ModelSpecsOptions
from bench.instruments.results import ModelSpecsResult
from suite import spec_codec
from suite.catalog import spec_for
from suite.provenance import versions
from suite.results.step_output import StepOutput
from suite.worker.protocol import Emit, Job


def run(job: Job, emit: Emit) -> StepOutput[ModelSpecsResult]:
    """Look up the models of ModelSpecsOptions in the catalogue; those of other origins are as they were described.

    Raises CatalogError for an invalid models file.
    """
    emit("phase", name="import")
    own = job.options.models_from
    found: dict[str, Any] = {}
    for name in job.read(ModelSpecsOptions).models:
        if (origin := job.options.origins.get(name)) is not None:
            found[name] = dict(origin.spec)
            continue
        try:
            found[name] = spec_codec.to_dict(spec_for(name, own))
        except KeyError:
            found[name] = None
    return StepOutput(
        result=ModelSpecsResult(
            specs=found, python=platform.python_version(), versions=dict(versions())
        )
    )
