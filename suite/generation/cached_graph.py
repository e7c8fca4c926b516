"""Worker side. One ONNX graph for prefill and decode, its cache as inputs and outputs.

The graph is made by transformers' own exporter, with the operators that ONNX Runtime fuses: ids [batch, n], a mask over
all tokens, positions, and keys and values of every layer go in, the last token's logits and the longer keys and values
come out. An empty cache is a prefill.

For one user attention is ONNX Runtime's GroupQueryAttention, and the cache stays in its buffers
(suite.generation.in_place). It takes several tokens behind a cache for one sample only, so a graph for batches has
attention of plain operators.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

import torch

from suite.axes import CPU
from suite.generation.in_place import keep_in_place
from suite.stages.export.quick_exporter import quick_exporter
from suite.tasks.ready_inputs import forward_arguments
from suite.worker.errors import Unsupported

SAMPLE: Final = 6
"""Tokens of the ids that the graph is traced on."""
SAMPLES: Final = 2
"""Samples of a graph that takes any number of them."""


def export_cached(module: Any, path: Path, name: str, *, is_single: bool = False) -> None:
    """Write the graph of a causal model of transformers to `path`, its weights beside it; `is_single`: for one sample.

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
    shape = (1 if is_single else SAMPLES, SAMPLE)
    ids = torch.randint(3, module.config.vocab_size, shape, generator=generator)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    parts = decompose_for_generation(
        module, {"input_ids": ids, "attention_mask": mask}, multi_token_decode=True
    )
    part, inputs = parts["decode"]
    if "logits_to_keep" in forward_arguments(part):
        inputs = {**inputs, "logits_to_keep": 1}
    exporter = OnnxExporter()
    with quick_exporter():
        made = exporter.export(part, inputs, OnnxConfig(dynamic=True, ort_fusions=CPU))
    path.parent.mkdir(parents=True, exist_ok=True)
    _number_fixed_axes(made.program.graph)
    exporter.save_program(made.program, path)
    if is_single:
        keep_in_place(path)


def _number_fixed_axes(graph: Any) -> None:
    """Give the fixed axes of the graph's inputs and outputs their extent, in place: torch.onnx (2.15) writes an axis
    that it found to be fixed as an open one, named by its number.
    """
    for value in (*graph.inputs, *graph.outputs):
        for place, axis in enumerate(value.shape or ()):
            if not isinstance(axis, int) and str(axis.value).isdecimal():
                value.shape[place] = int(axis.value)
