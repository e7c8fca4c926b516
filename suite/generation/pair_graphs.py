"""Worker side. Three ONNX graphs of an encoder-decoder: encode once, decode the first token, decode every other.

The first pass of the decoder makes the keys and values of the encoder's output (cross-attention) and gives them out;
the others take them in, and give out no more than the keys and values of what was decoded, which grow.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from suite.axes import CPU
from suite.generation.decoder import Decoder, State
from suite.generation.encoder_decoder import start_of
from suite.generation.graph_decoder import LOGITS, run_bound
from suite.generation.in_place import IDS, MASK, PAST, PRESENT
from suite.generation.pair_parts import Names, export_part, parts_of
from suite.worker.errors import Unsupported

ENCODER: Final = "encoder"
FIRST: Final = "first"
NEXT: Final = "next"
PARTS: Final = (ENCODER, FIRST, NEXT)
"""Ends of the names of the three files."""
TARGET: Final = "decoder_input_ids"
HIDDEN: Final = "last_hidden_state"
ENCODED: Final = f"encoder_outputs.{HIDDEN}"
CACHE: Final = "past_key_values."
CROSS: Final = "cross_attention_cache"
NAMES: Final = Names(
    ids=IDS,
    mask=MASK,
    target=TARGET,
    encoded_out=HIDDEN,
    encoded_in=ENCODED,
    logits=LOGITS,
    first=CACHE,
    past=f"{PAST}{CACHE}",
    present=f"{PRESENT}{CACHE}",
)
"""As transformers' exporter names them."""


def paths_of(path: Path) -> tuple[Path, ...]:
    """Return the files of the three graphs, in the order of PARTS."""
    return tuple(path.with_name(f"{path.stem}-{part}.onnx") for part in PARTS)


def export_pair(module: Any, path: Path, name: str, vocabulary: int) -> None:
    """Write the three graphs of an encoder-decoder beside `path`, for any number of samples: a model of transformers
    through its own exporter, any other through torch.onnx.

    Raise Unsupported, naming the model, if its cache cannot be taken apart into tensors.
    """
    module = copy.deepcopy(module)
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_of_transformers(module):
        _export_transformers(module, path)
        return
    try:
        parts = parts_of(module, vocabulary=vocabulary, names=NAMES)
    except ValueError as error:
        raise Unsupported(f"{name}: {error}; next: --backend eager") from None
    for part, target in zip(parts, paths_of(path), strict=True):
        export_part(part, target)
        _without_what_stays(target)


def _is_of_transformers(module: Any) -> bool:
    """Return whether the module is of the library's own classes, which its exporter asks for."""
    if "transformers" not in sys.modules:  # nor could a class of it be there
        return False
    from transformers import PreTrainedModel

    return isinstance(module, PreTrainedModel)


def _export_transformers(module: Any, path: Path) -> None:
    from transformers.exporters import OnnxConfig, OnnxExporter
    from transformers.exporters.utils import decompose_for_generation

    module.config.use_cache = module.generation_config.use_cache = True
    module.generation_config.eos_token_id = None  # a token that ends would end the trace
    module.generation_config.decoder_start_token_id = start_of(module.config)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, module.config.vocab_size, (2, 6), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    given = {IDS: ids, MASK: mask}
    parts = decompose_for_generation(module, given)
    part, inputs = parts["decode"]
    # Two tokens behind three: an extent of one would be traced as a constant.
    behind = module(**given, decoder_input_ids=ids[:, :3], use_cache=True).past_key_values
    made = {
        ENCODER: (module.get_encoder(), given),
        FIRST: parts["prefill"],
        NEXT: (part, {**inputs, TARGET: ids[:, 3:5], "past_key_values": behind}),
    }
    exporter = OnnxExporter()
    for target, (one, inputs) in zip(paths_of(path), made.values(), strict=True):
        program = exporter.export(one, inputs, OnnxConfig(dynamic=True, ort_fusions=CPU)).program
        exporter.save_program(program, target)
        _without_what_stays(target)


def _without_what_stays(path: Path) -> None:
    """Drop outputs that are inputs unchanged, which would be copied at every step, and inputs that nothing reads."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    kept = [
        one
        for one in graph.output
        if not (one.name.startswith(PRESENT) and CROSS in one.name)
        and one.name != f"encoder_{HIDDEN}"
    ]
    del graph.output[:]
    graph.output.extend(kept)
    wanted = {one.name for one in kept}
    nodes = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.append(node)
            wanted |= set(node.input)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    for held in (graph.input, graph.initializer):
        used = [one for one in held if one.name in wanted]
        del held[:]
        held.extend(used)
    onnx.save(model, path)


def pair_decoder(sessions: tuple[Any, ...], full: Any, start: int) -> Decoder:
    """Return the decoder of sessions of the three graphs; `start` is the id that decoding begins with."""
    encoder, first, following = sessions
    takes = {one.name for one in following.get_inputs()}

    def read(ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, State]:
        mask = torch.ones_like(ids) if mask is None else mask
        hidden = run_bound(encoder, {IDS: ids, MASK: mask})[HIDDEN]
        given = {MASK: mask, TARGET: torch.full_like(ids[:, :1], start), ENCODED: hidden}
        found = run_bound(first, given)
        cache = {PAST + name: one for name, one in found.items() if name.startswith(CACHE)}
        state = State(cache=cache, length=1, mask=mask, source=ids.shape[1])
        state.encoded = hidden if ENCODED in takes else None
        return found[LOGITS][:, -1], state

    def step(ids: Tensor, state: State) -> Tensor:
        given = {MASK: state.mask, TARGET: ids, ENCODED: state.encoded, **state.cache}
        found = run_bound(following, given)
        for name, one in found.items():
            if name.startswith(PRESENT):
                state.cache[PAST + name.removeprefix(PRESENT)] = one
        state.length += ids.shape[1]
        return found[LOGITS][:, -1]

    return Decoder(read=read, step=step, full=full, is_encoder_decoder=True)
