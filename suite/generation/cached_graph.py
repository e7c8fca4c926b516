"""Worker side. One ONNX graph for prefill and decode, its cache as inputs and outputs; and a decoder that runs it.

The graph is made by transformers' own exporter, with the operators that ONNX Runtime fuses: ids [batch, n], a mask over
all tokens, positions, and keys and values of every layer go in, the last token's logits and the longer keys and values
come out. An empty cache is a prefill. What comes out is bound as what goes in next, without a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from suite.axes import CPU
from suite.generation.decoder import Decoder, State
from suite.tasks.ready_inputs import forward_arguments
from suite.worker.errors import Unsupported

PAST: Final = "input."
PRESENT: Final = "output."
"""Beginnings of the names of a cache's tensors, as input and as output."""
SAMPLE: Final = (2, 6)
"""Samples and tokens of the ids that the graph is traced on."""


def export_cached(module: Any, path: Path, name: str) -> None:
    """Write the graph of a causal model of transformers to `path`, its weights beside it.

    Raise Unsupported, naming the model, if it is none: the exporter asks for the library's own classes.
    """
    from transformers import PreTrainedModel
    from transformers.exporters import OnnxConfig, OnnxExporter
    from transformers.exporters.utils import decompose_for_generation

    if not isinstance(module, PreTrainedModel) or module.config.is_encoder_decoder:
        raise Unsupported(
            f"{name}: a graph with a cache is made of causal models of transformers alone; next: --backend eager"
        )
    module = copy.deepcopy(module)
    module.config.use_cache = module.generation_config.use_cache = True
    module.generation_config.eos_token_id = None  # a token that ends would end the trace
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, module.config.vocab_size, SAMPLE, generator=generator)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    parts = decompose_for_generation(
        module, {"input_ids": ids, "attention_mask": mask}, multi_token_decode=True
    )
    part, inputs = parts["decode"]
    if "logits_to_keep" in forward_arguments(part):
        inputs = {**inputs, "logits_to_keep": 1}
    exporter = OnnxExporter()
    made = exporter.export(part, inputs, OnnxConfig(dynamic=True, ort_fusions=CPU))
    path.parent.mkdir(parents=True, exist_ok=True)
    exporter.save_program(made.program, path)


def graph_decoder(session: Any, full: Any) -> Decoder:
    """Return the decoder of a session of such a graph, on the CPU; `full` recomputes without a cache, in eager."""
    takes = {one.name: one for one in session.get_inputs()}
    gives = [one.name for one in session.get_outputs()]
    past = {give: PAST + give.removeprefix(PRESENT) for give in gives if give.startswith(PRESENT)}

    def run(ids: Tensor, state: State) -> Tensor:
        assert state.mask is not None
        places = (state.mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        own = {"input_ids": ids, "attention_mask": state.mask, "position_ids": places}
        given = {name: tensor.contiguous() for name, tensor in own.items() if name in takes}
        binding = session.io_binding()
        held = [_bind(binding, name, tensor) for name, tensor in {**given, **state.cache}.items()]
        for name in gives:
            binding.bind_output(name, CPU)
        session.run_with_iobinding(binding)
        del held  # it kept the inputs alive until here
        found = {
            name: from_dlpack(value._ortvalue.to_dlpack())
            for name, value in zip(gives, binding.get_outputs(), strict=True)
        }
        state.cache = {past[name]: found[name] for name in past}
        state.length += ids.shape[1]
        return found["logits"][:, -1]

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        mask = torch.ones_like(ids) if mask is None else mask
        state = State(cache=_empty(takes, past, len(ids)), length=0, mask=mask)
        return run(ids, state), state

    def step(ids: Tensor, state: State) -> Tensor:
        assert state.mask is not None
        state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
        return run(ids, state)

    return Decoder(read=read, step=step, full=full)


def _empty(takes: Mapping[str, Any], past: Mapping[str, str], batch: int) -> dict[str, Tensor]:
    """Return keys and values [batch, heads, 0, width] for every input of the cache."""
    return {
        name: torch.empty(batch, int(takes[name].shape[1]), 0, int(takes[name].shape[3]))
        for name in past.values()
    }


def _bind(binding: Any, name: str, tensor: Tensor) -> Tensor:
    """Bind the tensor's memory as that input; return what has to stay alive until the run is over."""
    # ONNX Runtime refuses the null pointer of an empty tensor.
    buffer = tensor if tensor.numel() else torch.empty(1, dtype=tensor.dtype)
    kind = np.int64 if tensor.dtype == torch.int64 else np.float32
    binding.bind_input(name, CPU, 0, kind, list(tensor.shape), buffer.data_ptr())
    return buffer
