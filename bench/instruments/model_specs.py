"""Worker side. Models of an arm's own catalogue, and the versions of its libraries."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from bench.instruments.exchange import options_of, output_with
from suite import spec_codec
from suite.catalog import spec_for
from suite.provenance import versions

if TYPE_CHECKING:
    from suite.worker.protocol import Emit, Job


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Facts `specs` (model -> its record as data, None where there is none), `python`, `versions`.

    Options: `models`, `models_from`. Raises CatalogError when the models file is not as it has to be.
    """
    emit("phase", name="import")
    own = options_of(job).get("models_from", "")
    found: dict[str, Any] = {}
    for name in options_of(job)["models"]:
        try:
            found[name] = spec_codec.to_dict(spec_for(name, own))
        except KeyError:
            found[name] = None
    return output_with(
        {"specs": found, "python": platform.python_version(), "versions": versions()}
    )
