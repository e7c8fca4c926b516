"""Worker side. Recipes that make an ONNX graph of a module, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.spec import ModelSpec
from suite.stages.export import detection, dynamo, huggingface, legacy

if TYPE_CHECKING:
    from torch import nn


Limits = Mapping[str, tuple[int, int | None]]
"""Dynamic axis -> smallest and largest extent for which an exported program is valid; None = no largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Input of a recipe."""

    module: nn.Module
    """Module in eval mode."""
    inputs: Mapping[str, Any]
    """Keyword arguments of its forward: the batch that is traced."""
    output_names: list[str]
    """One name per output tensor, in the record's order."""
    outputs: Sequence[str] = ()
    """Output names of the record, which order a dictionary that the module returns; empty = unchanged."""
    translations: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """`Export.translations` of the record."""
    dynamic: Mapping[str, Mapping[int, str]]
    """Flat input name -> axis -> axis name; empty = every shape is fixed."""
    path: Path
    """File to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An export method."""

    name: str
    export: Callable[[ExportRequest], Limits]
    """Writes `request.path` and returns the extents for which the program is valid; raises what the exporter raises."""
    suits: Callable[[ModelSpec, nn.Module], bool]
    """Returns whether to try it if the record's own recipe failed."""
    why: str
    """Models that need it, with a link."""


def _always(spec: ModelSpec, module: nn.Module) -> bool:
    return True


RECIPES: Final = {
    row.name: row
    for row in (
        Recipe(
            name="dynamo",
            export=dynamo.export,
            suits=_always,
            why="torch.onnx.export with dynamo=True: the exporter that PyTorch develops",
        ),
        Recipe(
            name="detection",
            export=detection.export,
            suits=lambda spec, module: spec.task == "detection",
            why="torchvision's batched_nms branches on data, which torch.export refuses;"
            " https://github.com/pytorch/vision/issues/9462",
        ),
        Recipe(
            name="transformers",
            export=huggingface.export,
            suits=lambda spec, module: (
                hasattr(module, "config") and hasattr(module, "save_pretrained")
            ),
            why="scaled_dot_product_attention of T5-like models does not lower without the patches of"
            " transformers.exporters; https://github.com/huggingface/transformers/pull/41992",
        ),
        Recipe(
            name="legacy",
            export=legacy.export,
            suits=_always,
            why="torch.onnx.export with dynamo=False: deprecated, takes what the others refuse;"
            " https://github.com/pytorch/pytorch/issues/146152",
        ),
    )
}
"""Name -> recipe. A record's own recipe comes first, then the others that suit, in this order."""


def recipes_for(spec: ModelSpec, module: nn.Module) -> list[Recipe]:
    """Return the record's recipe, then every other one that suits; raise ValueError if the record's is unknown."""
    first = RECIPES.get(spec.export.recipe)
    if first is None:
        raise ValueError(
            f"model {spec.name!r}: export recipe {spec.export.recipe!r} is unknown;"
            f" expected one of {', '.join(RECIPES)}"
        )
    others = [r for r in RECIPES.values() if r is not first and r.suits(spec, module)]
    return [first, *others]
