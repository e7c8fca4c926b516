"""Worker side. Generation: time to the first token, prefill, latency between tokens, the cache's bytes, peak memory.

One request reads `prompt` tokens behind `depth` tokens that are in the cache already, and generates greedily. The clock
stands next to the work: prefill is the forward pass over the prompt, the time to the first token ends when the host
knows that token, and each latency between tokens is one step and the choice of its token.

Before anything is timed, greedy decoding is held against full recomputation without a cache: a wrong cache fails the
step, however fast it is.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import torch

from bench.instruments.generation_points import points_of
from bench.instruments.generation_rounds import Reader, measure
from bench.instruments.options import GenerateOptions
from bench.plan import plan_of
from diagnostics.facts.system import describe as describe_system
from suite.axes import BUILD, is_accelerator
from suite.backends.eager import device_facts, require_device, use_threads
from suite.data.bpe import PAD
from suite.data.sources import source_for
from suite.flat_tensors import cast
from suite.generation import agreement, cache_formula
from suite.generation.find import decoder_of
from suite.generation.prompts import described, text_prompts
from suite.origins.find import spec_of
from suite.results.generate import GenerateResult, TokenAgreement
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.states.store import module_of
from suite.timing import waiter
from suite.worker.protocol import CellJob, Emit

TEXT: Final = "text"
"""Kind of sample that prompts are made of, whatever the task."""
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
    emit("phase", name="agreement")
    with torch.inference_mode():
        agreed = agree(job, spec, built, asked, limit, vocabulary)
        emit("phase", name="input")
        module = cast(built, cell.device, getattr(torch, cell.dtype))
        ids = text_prompts(
            source_for(job.options.sources, TEXT),
            vocabulary=vocabulary,
            length=points.longest,
            number=cell.batch,
            seed=job.options.seed,
        )
        reader = Reader(
            decoder=decoder_of(module, spec.name),
            ids=ids.to(cell.device),
            synchronize=waiter(cell.device),
            device=cell.device,
            bytes_of=cache_formula.bytes_of(config, dtype=cell.dtype, batch=cell.batch),
            free=lambda: free_bytes(cell.device),
        )
        found = measure(reader, points, plan, emit, is_short=asked.is_short)
    return StepOutput(
        measurements=tuple(found.measurements),
        result=GenerateResult(
            threads=torch.get_num_threads(),
            weights=job.options.weights,
            num_samples=cell.batch,
            plan=plan.name,
            num_new=points.num_new,
            positions=limit,
            cache="dynamic",
            points=tuple(found.points),
            left_out=found.left_out,
            absent=found.absent,
            agreement=agreed,
            prompts=described(vocabulary),
            claims=(agreement.claim_of(agreed),),
            **device_facts(cell.device),
        ),
    )


def extents(spec: ModelSpec, size: str, module: Any) -> tuple[int, int]:
    """Return positions (0 = no limit) and vocabulary, from the record, or from the model's configuration."""
    inputs, config = spec.sizes[size].inputs, getattr(module, "config", None)
    limit = inputs.get("longest") or getattr(config, "max_position_embeddings", 0)
    vocabulary = inputs.get("vocabulary") or getattr(config, "vocab_size", 0)
    return int(limit or 0), int(vocabulary or 0)


def agree(
    job: CellJob,
    spec: ModelSpec,
    built: Any,
    asked: GenerateOptions,
    limit: int,
    vocabulary: int,
) -> TokenAgreement:
    """Return how greedy decoding of the cell's module agrees with full recomputation; `built` is float32 on the CPU."""
    device, dtype = job.cell.device, job.cell.dtype
    num_tokens = min(asked.num_agreeing, limit // 2) if limit else asked.num_agreeing
    room = limit - num_tokens if limit else max(AGREEING)
    lengths = [min(n, room) for n in (AGREEING_SHORT if asked.is_short else AGREEING)]
    ids = text_prompts(
        source_for(job.options.sources, TEXT),
        vocabulary=vocabulary,
        length=max(lengths),
        number=len(lengths),
        seed=job.options.seed,
    ).to(device)
    module = cast(copy.deepcopy(built), device, getattr(torch, dtype))
    decoder = decoder_of(module, spec.name)
    prompts = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    found = agreement.continued(decoder, prompts, num_tokens, PAD)
    higher = getattr(torch, agreement.HIGHER[dtype])
    judge = decoder_of(cast(copy.deepcopy(built), device, higher), spec.name).full
    return agreement.agreement_of(
        found,
        decoder.full,
        judge=judge,
        reference=decoder.full if dtype == "float32" else judge,
        dtype=dtype,
    )


def free_bytes(device: str) -> int:
    """Return the bytes of free memory on the device; 0 if unknown."""
    if is_accelerator(device):
        return int(torch.cuda.mem_get_info(device)[0])
    return int(describe_system().memory_available or 0)
