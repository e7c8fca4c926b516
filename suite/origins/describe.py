"""Worker side. Descriptions of references: their records, without the functions, for the parent."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from suite import spec_codec
from suite.catalog import CatalogError
from suite.origins.reference import KINDS
from suite.results.step_output import StepOutput
from suite.results.step_result import StepResult
from suite.worker.protocol import Emit, Job

RUNNER: Final = "suite.origins.describe:run"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOptions:
    """What is asked."""

    texts: tuple[str, ...] = ()
    """References in their full form."""
    may_download: bool = False
    """Whether a configuration may be fetched."""
    kinds: tuple[str, ...] = ()
    """Libraries of which all names are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeResult(StepResult):
    """What was found."""

    specs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Reference -> record, as `spec_codec.to_dict` gives it."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Library -> names of its models."""
    errors: dict[str, str] = field(default_factory=dict)
    """Reference -> why it could not be described, in one sentence."""


def run(job: Job, emit: Emit) -> StepOutput[DescribeResult]:
    """Describe the references of DescribeOptions, each on its own: one that fails leaves the others."""
    asked = job.read(DescribeOptions)
    if not asked.may_download:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries are imported, which is later
    specs: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    for text in asked.texts:
        kind, _, target = text.partition(":")
        emit("phase", name=f"describe {kind}")
        try:
            specs[text] = spec_codec.to_dict(import_module(KINDS[kind].module).describe(target))
        except (CatalogError, ValueError) as error:
            traceback.print_exc()
            errors[text] = str(error)
        except Exception as error:
            traceback.print_exc()
            errors[text] = f"{type(error).__name__}: {error}"
    return StepOutput(
        result=DescribeResult(
            specs=specs,
            names={kind: tuple(import_module(KINDS[kind].module).names()) for kind in asked.kinds},
            errors=errors,
        )
    )
