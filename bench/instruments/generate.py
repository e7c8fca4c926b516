"""Worker side. Generation: time to the first token, prefill, latency between tokens, the cache's bytes, peak memory.

One request reads `prompt` tokens behind `depth` tokens that are in the cache already, and generates greedily. The clock
stands next to the work: prefill is the forward pass over the prompt, the time to the first token ends when the host
knows that token, and each latency between tokens is one step and the choice of its token.

Before anything is timed, greedy decoding is held against full recomputation without a cache: a wrong cache fails the
step, however fast it is.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from bench.instruments.generation_points import points_of
from bench.instruments.generation_rounds import Reader, measure
from bench.instruments.options import GenerateOptions
from bench.plan import plan_of
from diagnostics.facts.system import describe as describe_system
from suite.axes import BUILD, EAGER, EXPORT, ONNXRUNTIME, is_accelerator
from suite.backends.eager import device_facts, require_device, use_threads
from suite.data.bpe import PAD
from suite.data.sources import source_for
from suite.flat_tensors import cast
from suite.generation import agreement, cache_formula
from suite.generation.agreement import HIGHER
from suite.generation.decoder import Decoder, bytes_read
from suite.generation.find import decoder_of
from suite.generation.prompts import described, text_prompts
from suite.origins.find import spec_of
from suite.results.generate import GenerateResult, TokenAgreement
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.states.store import module_of
from suite.timing import waiter
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit

TEXT: Final = "text"
"""Kind of sample that prompts are made of, whatever the task."""
FOLDER: Final = "generation"
"""Folder of the run for graphs that carry a cache."""
DYNAMIC: Final = "dynamic"
CARRIED: Final = "carried"
"""Kinds of cache: grown by concatenation, or tensors that go into a graph and come out of it."""
AGREEING: Final = (48, 32, 16)
"""Tokens of the prompts whose continuations are compared: three real texts, padded to one batch."""
AGREEING_SHORT: Final = (24, 12)


def run(job: CellJob, emit: Emit) -> StepOutput[GenerateResult]:
    """Measurements `prefill`, `ttft`, `itl` (s), `kv_cache` and `generation_peak` (B), one of each per prompt and
    depth, and `kv_bytes_per_token`.

    Options: `plan`, GenerateOptions. Raises Unsupported for a model without a cache, ValueError for a prompt that is
    longer than its positions.
    """
    plan, asked, cell = plan_of(job.options), job.read(GenerateOptions), job.cell
    use_threads(job)
    require_device(cell.device)
    spec = spec_of(job)
    emit("phase", name=BUILD)
    built = module_of(job, spec, cell.variant)
    limit, vocabulary = extents(spec, cell.size, built)
    is_pair = decoder_of(built, spec.name).is_encoder_decoder
    points = points_of(asked, limit, is_encoder_decoder=is_pair)
    config = built.config.to_dict() if hasattr(built, "config") else {}
    # Weights of a graph are those of the module in float32.
    wide = getattr(torch, cell.dtype).itemsize
    read_bytes = bytes_read(built) * wide // 4
    judge = cast(copy.deepcopy(built), cell.device, getattr(torch, HIGHER[cell.dtype]))
    with torch.inference_mode():
        decoder, setup = OPENED[cell.backend](job, spec, built, emit)
        emit("phase", name="agreement")
        agreed = agree(job, decoder, decoder_of(judge, spec.name), asked, limit, vocabulary)
        del judge
        emit("phase", name="input")
        ids = text_prompts(
            source_for(job.options.sources, TEXT),
            vocabulary=vocabulary,
            length=points.longest,
            number=cell.batch,
            seed=job.options.seed,
        )
        reader = Reader(
            decoder=decoder,
            ids=ids.to(cell.device),
            synchronize=waiter(cell.device),
            device=cell.device,
            bytes_of=cache_formula.bytes_of(config, dtype=cell.dtype, batch=cell.batch),
            free=lambda: free_bytes(cell.device),
        )
        if cell.backend != EAGER:
            torch.set_num_threads(1)  # its idle threads would take cores from the other runtime
        found = measure(reader, points, plan, emit, is_short=asked.is_short)
    result = GenerateResult(
        weights=job.options.weights,
        num_samples=cell.batch,
        plan=plan.name,
        num_new=points.num_new,
        positions=limit,
        read_bytes=read_bytes,
        points=tuple(found.points),
        left_out=found.left_out,
        absent=found.absent,
        agreement=agreed,
        prompts=described(vocabulary),
        claims=(agreement.claim_of(agreed),),
        **device_facts(cell.device),
    )
    return StepOutput(measurements=tuple(found.measurements), result=replace(result, **setup))


Opened = tuple[Decoder, dict[str, Any]]
"""A decoder, and the fields of the result that say what runs it."""


def in_eager(job: CellJob, spec: ModelSpec, built: Any, emit: Emit) -> Opened:
    """Return the module on the cell's device in its dtype, with the cache that it makes itself."""
    emit("phase", name="to_device")
    module = cast(built, job.cell.device, getattr(torch, job.cell.dtype))
    return decoder_of(module, spec.name), {"cache": DYNAMIC, "threads": torch.get_num_threads()}


def in_onnxruntime(job: CellJob, spec: ModelSpec, built: Any, emit: Emit) -> Opened:
    """Return a session of the graph that carries the cache; it is made once per run, and its exporting is a phase."""
    import onnxruntime as ort

    from suite.backends.onnxruntime import open_session
    from suite.generation.cached_graph import export_cached, graph_decoder

    cell = job.cell
    if is_accelerator(cell.device):
        raise Unsupported(
            f"{cell.id}: in ONNX Runtime generation is measured on the CPU alone; next: --device cpu"
        )
    path = Path(job.options.run_dir, FOLDER, f"{cell.model}-{cell.size}-{cell.variant}.onnx")
    if not path.exists():
        emit("phase", name=EXPORT)
        export_cached(built, path, spec.name)
    emit("phase", name="session")
    session = open_session(path, cell.device, job.options.threads)
    setup = dict(  # noqa: C408 (the names are fields, not backends)
        cache=CARRIED,
        threads=session.get_session_options().intra_op_num_threads,
        provider=session.get_providers()[0],
        onnxruntime=ort.__version__,
    )
    return graph_decoder(session, decoder_of(built, spec.name).full), setup


OPENED: Final = {EAGER: in_eager, ONNXRUNTIME: in_onnxruntime}
"""Backend -> what opens a decoder on it."""


def extents(spec: ModelSpec, size: str, module: Any) -> tuple[int, int]:
    """Return positions (0 = no limit) and vocabulary, from the record, or from the model's configuration."""
    inputs, config = spec.sizes[size].inputs, getattr(module, "config", None)
    limit = inputs.get("longest") or getattr(config, "max_position_embeddings", 0)
    vocabulary = inputs.get("vocabulary") or getattr(config, "vocab_size", 0)
    return int(limit or 0), int(vocabulary or 0)


def agree(
    job: CellJob,
    decoder: Decoder,
    judge: Decoder,
    asked: GenerateOptions,
    limit: int,
    vocabulary: int,
) -> TokenAgreement:
    """Return how greedy decoding agrees with full recomputation, which `judge` does in a higher precision."""
    num_tokens = min(asked.num_agreeing, limit // 2) if limit else asked.num_agreeing
    room = limit - num_tokens if limit else max(AGREEING)
    lengths = [min(n, room) for n in (AGREEING_SHORT if asked.is_short else AGREEING)]
    ids = text_prompts(
        source_for(job.options.sources, TEXT),
        vocabulary=vocabulary,
        length=max(lengths),
        number=len(lengths),
        seed=job.options.seed,
    ).to(job.cell.device)
    prompts = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    found = agreement.continued(decoder, prompts, num_tokens, PAD)
    is_float32 = job.cell.dtype == "float32"
    return agreement.agreement_of(
        found,
        decoder.full,
        judge=judge.full,
        reference=decoder.full if is_float32 else judge.full,
        dtype=job.cell.dtype,
    )


def free_bytes(device: str) -> int:
    """Return the bytes of free memory on the device; 0 if unknown."""
    if is_accelerator(device):
        return int(torch.cuda.mem_get_info(device)[0])
    return int(describe_system().memory_available or 0)
