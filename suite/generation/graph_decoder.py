"""Worker side. Decoders of a graph that carries its cache, in a session of ONNX Runtime on the CPU.

A cache that grows comes out of one pass and is bound as what goes into the next, without a copy. A cache in buffers is
bound once per state; attention writes behind what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from suite.axes import CPU
from suite.generation.decoder import Decoder, State
from suite.generation.in_place import IDS, MASK, PAST, PRESENT, is_in_place

LOGITS = "logits"
POSITIONS = "position_ids"


def graph_decoder(session: Any, full: Any, capacity: int = 0) -> Decoder:
    """Return the decoder of a session of such a graph; `full` recomputes without a cache, in eager.

    `capacity`: most tokens of a sample, for a graph whose cache stays in buffers.
    """
    if is_in_place(session):
        return _in_place(session, full, capacity)
    return _growing(session, full)


def _growing(session: Any, full: Any) -> Decoder:
    takes = {one.name: one for one in session.get_inputs()}
    past = _pairs(session)

    def run(ids: Tensor, state: State) -> Tensor:
        assert state.mask is not None
        found = run_bound(session, {**_given(ids, state.mask), **state.cache})
        state.cache = {past[name]: found[name] for name in past}
        state.length += ids.shape[1]
        return found[LOGITS][:, -1]

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        mask = torch.ones_like(ids) if mask is None else mask
        state = State(cache=_buffers(takes, past, len(ids), 0), length=0, mask=mask)
        return run(ids, state), state

    def step(ids: Tensor, state: State) -> Tensor:
        assert state.mask is not None
        state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
        return run(ids, state)

    return Decoder(read=read, step=step, full=full, is_single=_is_single(takes))


def run_bound(session: Any, given: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    """Run the session on the memory of those tensors that it takes; return its outputs, in memory of ONNX Runtime."""
    binding = session.io_binding()
    held = []  # what has to stay alive until the run is over
    for name in (one.name for one in session.get_inputs()):
        tensor = given[name]
        assert tensor is not None, name
        kept = tensor.contiguous()
        held += [kept, _bind(binding, name, kept)]
    gives = [one.name for one in session.get_outputs()]
    for name in gives:
        binding.bind_output(name, CPU)
    session.run_with_iobinding(binding)
    return {
        name: from_dlpack(value._ortvalue.to_dlpack())
        for name, value in zip(gives, binding.get_outputs(), strict=True)
    }


def _in_place(session: Any, full: Any, capacity: int) -> Decoder:
    takes = {one.name: one for one in session.get_inputs()}
    past = _pairs(session)
    shape = next(one.shape for one in session.get_outputs() if one.name == LOGITS)
    binding = session.io_binding()
    bound: list[dict[str, Tensor]] = []  # the cache whose buffers the binding holds

    def run(ids: Tensor, state: State) -> Tensor:
        assert state.mask is not None
        end = state.length + ids.shape[1]
        if end > state.capacity:
            raise ValueError(
                f"{end} tokens do not fit into a cache of {state.capacity}; expected a decoder made for as many"
            )
        if not (bound and bound[0] is state.cache):
            bound[:] = [state.cache]
            for present, name in past.items():
                _bind(binding, name, state.cache[name])
                _bind(binding, present, state.cache[name], is_output=True)
        given = {n: t for n, t in _given(ids, state.mask[:, :end]).items() if n in takes}
        held = [_bind(binding, name, tensor) for name, tensor in given.items()]
        kept = ids.shape[1] if isinstance(shape[1], str) else shape[1]
        logits = torch.empty((len(ids), kept, shape[2]))
        _bind(binding, LOGITS, logits, is_output=True)
        session.run_with_iobinding(binding)
        del held  # it kept the inputs alive until here
        state.length = end
        return logits[:, -1]

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        seen = torch.ones((len(ids), capacity), dtype=torch.int64)
        if mask is not None:
            seen[:, : mask.shape[1]] = mask
        cache = _buffers(takes, past, len(ids), capacity)
        state = State(cache=cache, length=0, mask=seen, capacity=capacity)
        return run(ids, state), state

    return Decoder(read=read, step=run, full=full, is_single=_is_single(takes))


def _given(ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return the inputs beside the cache: ids, the mask of all tokens, and positions that do not count padding."""
    places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return {IDS: ids.contiguous(), MASK: mask.contiguous(), POSITIONS: places.contiguous()}


def _pairs(session: Any) -> dict[str, str]:
    """Return output -> input of the cache."""
    names = [one.name for one in session.get_outputs()]
    return {name: PAST + name.removeprefix(PRESENT) for name in names if name.startswith(PRESENT)}


def _is_single(takes: Mapping[str, Any]) -> bool:
    return bool(takes[IDS].shape[0] == 1)


def _buffers(
    takes: Mapping[str, Any], past: Mapping[str, str], batch: int, tokens: int
) -> dict[str, Tensor]:
    """Return keys and values [batch, heads, tokens, width] for every input of the cache."""
    return {
        name: torch.zeros(batch, int(takes[name].shape[1]), tokens, int(takes[name].shape[3]))
        for name in past.values()
    }


def _bind(binding: Any, name: str, tensor: Tensor, *, is_output: bool = False) -> Tensor:
    """Bind the tensor's memory as that input or output; return what has to stay alive until the run is over."""
    # ONNX Runtime refuses the null pointer of an empty tensor.
    buffer = tensor if tensor.numel() else torch.empty(1, dtype=tensor.dtype)
    kind = np.int64 if tensor.dtype == torch.int64 else np.float32
    bind = binding.bind_output if is_output else binding.bind_input
    bind(name, CPU, 0, kind, list(tensor.shape), buffer.data_ptr())
    return buffer
