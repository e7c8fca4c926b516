"""Worker side. The three parts of an encoder-decoder of any library, as modules with a flat call: what its graphs are
traced from.

Nothing is asked of the module but the convention of `suite.generation.encoder_decoder`, and of its cache that
torch.utils._pytree can take it apart: tuples, lists, dictionaries, and dataclasses that
torch.export.register_dataclass knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from suite.stages.export.dynamo import scrub, share_constants
from suite.stages.export.quick_exporter import OPSET, quick_exporter

EXTENTS: Final = ((2, 6, 3, 2), (3, 8, 5, 4))
"""Samples, tokens of the source, decoded before and decoded now: of what is traced, and of what tells which axes
change. No extent is 0 or 1, which torch.export takes for constants."""

ANY: Final = 2**40
"""Numbers of a constant up to which it is folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One graph to be."""

    module: nn.Module
    inputs: tuple[Any, ...]
    """Tensors, and for the cache a list of tensors."""
    wide: tuple[Any, ...]
    """The same of other extents."""
    input_names: tuple[str, ...]
    """Of the tensors, one by one."""
    output_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of inputs and outputs."""

    ids: str
    mask: str
    target: str
    encoded_out: str
    encoded_in: str
    logits: str
    first: str
    """Beginning of the names of the cache where it is made."""
    past: str
    """Where it goes in."""
    present: str
    """Where it comes out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """One pass of the module, and a second one behind it."""

    ids: Tensor
    mask: Tensor
    target: Tensor
    encoded: Tensor
    past: Any
    after: Any


class _Encoder(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        found = self.module(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=input_ids[:, :2],  # what is decoded falls away: nothing reads it
            use_cache=True,
        )
        encoded: Tensor = found.encoder_last_hidden_state
        return encoded


class _First(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, attention_mask: Tensor, decoder_input_ids: Tensor, encoded: Tensor
    ) -> list[Tensor]:
        found = self.module(
            input_ids=None,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            encoder_outputs=(encoded,),
            use_cache=True,
        )
        return [found.logits, *pytree.tree_leaves(found.past_key_values)]


class _Next(nn.Module):
    """`layout` is the cache's structure, `kept` are the numbers of its tensors that a step changes."""

    def __init__(self, module: nn.Module, layout: Any, kept: Sequence[int]) -> None:
        super().__init__()
        self.module, self.layout, self.kept = module, layout, kept

    def forward(
        self,
        attention_mask: Tensor,
        decoder_input_ids: Tensor,
        encoded: Tensor,
        past: list[Tensor],
    ) -> list[Tensor]:
        found = self.module(
            input_ids=None,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            encoder_outputs=(encoded,),
            past_key_values=pytree.tree_unflatten(past, self.layout),
            use_cache=True,
        )
        leaves = pytree.tree_leaves(found.past_key_values)
        return [found.logits, *(leaves[number] for number in self.kept)]


def parts_of(module: nn.Module, *, vocabulary: int, names: Names) -> tuple[Part, Part, Part]:
    """Return encoder, first token and every other. Raise ValueError for a cache that is not made of tensors."""
    small, wide = (_sample(module, vocabulary, extents) for extents in EXTENTS)
    leaves, layout = pytree.tree_flatten(small.past)
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        raise ValueError(
            "its cache cannot be taken apart into tensors; expected tuples, lists, dictionaries, or dataclasses that"
            " torch.export.register_dataclass knows"
        )
    after = pytree.tree_leaves(small.after)
    changed = [n for n, (old, new) in enumerate(zip(leaves, after, strict=True)) if old is not new]
    cache = [_name(path) for path, _ in pytree.tree_flatten_with_path(small.past)[0]]

    def part(made: nn.Module, take: Callable[[_Sample], tuple[Any, ...]], *told: Any) -> Part:
        ins, outs = told
        return Part(
            module=made,
            inputs=take(small),
            wide=take(wide),
            input_names=tuple(ins),
            output_names=tuple(outs),
        )

    decoding = (names.mask, names.target, names.encoded_in)
    return (
        part(
            _Encoder(module),
            lambda one: (one.ids, one.mask),
            (names.ids, names.mask),
            (names.encoded_out,),
        ),
        part(
            _First(module),
            lambda one: (one.mask, one.target, one.encoded),
            decoding,
            (names.logits, *(f"{names.first}{name}" for name in cache)),
        ),
        part(
            _Next(module, layout, changed),
            lambda one: (one.mask, one.target, one.encoded, _leaves(one.past)),
            (*decoding, *(f"{names.past}{name}" for name in cache)),
            (names.logits, *(f"{names.present}{cache[number]}" for number in changed)),
        ),
    )


def export_part(part: Part, path: Path) -> None:
    """Write the part's graph to `path`, its weights beside it."""
    import onnx_ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass
    from onnxscript.optimizer import fold_constants

    with torch.no_grad(), quick_exporter():
        program = torch.onnx.export(
            part.module.eval(),
            part.inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(part.input_names),
            output_names=list(part.output_names),
            dynamic_shapes=tuple(map(_changing, part.inputs, part.wide)),
            verbose=False,
        )
    assert program is not None, "torch.onnx.export with dynamo=True returns a program"
    # A part of a stacked weight is stored as such, whatever its size: products with it are stored ones then.
    fold_constants(program.model, input_size_limit=ANY, output_size_limit=ANY)
    RemoveUnusedNodesPass()(program.model)
    share_constants(program.model, part.module.state_dict())
    scrub(program.model)
    onnx_ir.save(program.model, path, external_data=f"{path.name}.data")


def _sample(module: nn.Module, vocabulary: int, extents: tuple[int, int, int, int]) -> _Sample:
    batch, source, past, new = extents
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, vocabulary, (batch, source), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, source - 2 :] = 0
    with torch.no_grad():
        read = module(
            input_ids=ids, attention_mask=mask, decoder_input_ids=ids[:, :past], use_cache=True
        )
        target = ids[:, :new].clone()
        encoded = read.encoder_last_hidden_state
        after = module(
            input_ids=None,
            attention_mask=mask,
            decoder_input_ids=target,
            encoder_outputs=(encoded,),
            past_key_values=read.past_key_values,
            use_cache=True,
        )
    return _Sample(
        ids=ids,
        mask=mask,
        target=target,
        encoded=encoded,
        past=read.past_key_values,
        after=after.past_key_values,
    )


def _leaves(cache: Any) -> list[Tensor]:
    """Return the cache's tensors, each in memory of its own: strides of a view would be traced, which ONNX lacks."""
    return [leaf.contiguous() for leaf in pytree.tree_leaves(cache)]


def _changing(small: Any, wide: Any) -> Any:
    """Return the axes whose extents differ, as torch.export takes them; of a list, of each tensor."""
    if isinstance(small, list):
        return [_changing(one, other) for one, other in zip(small, wide, strict=True)]
    auto = torch.export.Dim.AUTO
    return {
        axis: auto
        for axis, (few, many) in enumerate(zip(small.shape, wide.shape, strict=True))
        if few != many
    }


def _name(path: Sequence[Any]) -> str:
    """Return e.g. `0.keys` for the first item's attribute `keys`."""
    return ".".join(re.findall(r"\w+", pytree.keystr(tuple(path))))
