"""Worker side. A .pt2 file as a model: the program that torch.export saved, on its own example inputs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from suite.catalog import CatalogError
from suite.origins.probe import described
from suite.origins.reference import PT2, Reference
from suite.spec import ModelSpec


def describe(target: str) -> ModelSpec:
    """Return the record of a saved program; raise CatalogError if it does not load or holds no example inputs."""
    return described(
        Reference(kind=PT2, target=target).model,
        partial(program_module, target),
        partial(example_inputs, target),
        where=Path(target).name,
    )


def completed(target: str, record: ModelSpec) -> ModelSpec:
    """Return the record with its functions."""
    return replace(
        record, build=partial(program_module, target), inputs=partial(example_inputs, target)
    )


def program_module(path: str) -> Any:
    """Return the program as a module that may be put into eval mode: it has no other."""
    from torch import nn

    program = _program(path)
    names = _argument_names(program)

    class Program(nn.Module):
        """A saved program, called with tensors by name."""

        def __init__(self) -> None:
            super().__init__()
            self.program = program.module()

        def train(self, mode: bool = True) -> Any:
            """Change nothing: the program was exported in one mode."""
            del mode
            return self

        def forward(self, **inputs: Any) -> Any:
            """Return what the program returns."""
            positional, keywords = names
            return self.program(
                *(inputs[name] for name in positional), **{name: inputs[name] for name in keywords}
            )

    return Program()


def example_inputs(path: str) -> dict[str, Any]:
    """Return the inputs that the program was exported with, by name."""
    program = _program(path)
    if program.example_inputs is None:
        raise CatalogError(
            f"{Path(path).name}: it holds no example inputs; next: save the program as torch.export.export gives it"
        )
    args, kwargs = program.example_inputs
    positional, _ = _argument_names(program)
    return {**dict(zip(positional, args, strict=True)), **kwargs}


def _argument_names(program: Any) -> tuple[list[str], list[str]]:
    """Return the names of the positional arguments, and those of the others."""
    args, kwargs = program.example_inputs or ((), {})
    names = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    return names[: len(args)], list(kwargs)


def _program(path: str) -> Any:
    import torch

    try:
        return torch.export.load(path)
    except Exception as error:  # of zipfile, of the format's own checks
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CatalogError(
            f"{Path(path).name}: torch.export.load cannot read it ({line}); expected what torch.export.save wrote"
        ) from error
