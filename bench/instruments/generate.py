"""Worker side. Generation: time to the first token, prefill, latency between tokens, the cache's bytes, peak memory.

One request reads `prompt` tokens behind `depth` tokens that are in the cache already, and generates greedily. The clock
stands next to the work: prefill is the forward pass over the prompt, the time to the first token ends when the host
knows that token, and each latency between tokens is one step and the choice of its token.

Before anything is timed, greedy decoding is held against full recomputation without a cache: a wrong cache fails the
step, however fast it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from bench.instruments.decode_profile import MOST_STEPS
from bench.instruments.generation_modes import MODES, Mode, Need, Opens
from bench.instruments.generation_points import points_of
from bench.instruments.generation_rounds import Found, Reader, measure, room_for
from bench.instruments.options import GenerateOptions
from bench.plan import HASTY, plan_of
from diagnostics.facts.system import describe as describe_system
from suite.axes import BUILD, ONNXRUNTIME, ORIGINAL, is_accelerator
from suite.backends.eager import device_facts, require_device, use_threads
from suite.backends.native_dtypes import emulated
from suite.claims import Claim
from suite.data.bpe import PAD
from suite.data.sources import source_for
from suite.flat_tensors import cast
from suite.generation import agreement, cache_formula
from suite.generation.agreement import HIGHER
from suite.generation.find import decoder_of
from suite.generation.own_tokenizer import own_tokenizer
from suite.generation.perplexity import perplexity_of
from suite.generation.prompts import described, text_prompts
from suite.origins.find import spec_of
from suite.results.generate import GenerateResult, GenerationMode, TokenAgreement
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.states.store import module_of
from suite.timing import waiter
from suite.weight_sources import RANDOM
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit

TEXT: Final = "text"
"""Kind of sample that prompts are made of, whatever the task."""
AGREEING: Final = (48, 32, 16)
"""Tokens of the prompts whose continuations are compared: three real texts, padded to one batch."""
AGREEING_SHORT: Final = (24, 12)
PERPLEXITY_TOKENS: Final = 129
"""Tokens of the text on which perplexity is computed, the first one included."""
HASTY_TOKENS: Final = 65
"""The same in a hasty plan."""


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
    config = cache_formula.config_of(built)
    higher = cast(copy.deepcopy(built), cell.device, getattr(torch, HIGHER[cell.dtype]))
    # Modes that choose the same tokens are held against the same recomputation.
    judge = agreement.remembered(decoder_of(higher, spec.name).full)
    own_full: list[agreement.Full] = []
    is_hasty = plan.name in HASTY
    # What a variant has learnt, it has learnt in the ids of our own tokenizer.
    weights = job.options.weights if cell.variant == ORIGINAL else RANDOM
    own = own_tokenizer(weights, spec.name, built, vocabulary)

    def prompts(length: int, number: int) -> Tensor:
        return text_prompts(
            source_for(job.options.sources, TEXT),
            vocabulary=vocabulary,
            length=length,
            number=number,
            seed=job.options.seed,
            tokens=own.tokens,
        ).to(cell.device)

    ids = prompts(max(points.longest, PERPLEXITY_TOKENS), cell.batch)
    need = Need(
        longest=max(room_for(depth, p, points.num_new) for depth, p in points.depths.items()),
        agreeing=max(AGREEING) + asked.num_agreeing,
        limit=limit,
        vocabulary=vocabulary,
    )

    def taken(name: str, opens: Opens) -> tuple[Mode, GenerationMode, Found]:
        mode = opens(job, spec, built, emit, need)
        emit("phase", name=f"agreement {name}".rstrip())
        own_full[:] = own_full or [agreement.remembered(mode.open(need.most).full)]
        agreed = agree(job, mode, (own_full[0], judge), asked, limit, prompts)
        most = HASTY_TOKENS if is_hasty else PERPLEXITY_TOKENS
        text = ids[0, : min(most, limit or most)]
        surprise = None
        # A mode with float weights that agrees has the perplexity of the first one.
        if not asked.is_short and not own.missing and not (name and mode.told.is_exact):
            emit("phase", name=f"perplexity {name}".rstrip())
            surprise = perplexity_of(mode.open(len(text)), text)
        told = replace(
            mode.told,
            name=name,
            agreement=agreed,
            perplexity=surprise,
            perplexity_tokens=len(text) - 1 if surprise is not None else 0,
        )
        reader = Reader(
            open=mode.open,
            decoder=mode.open(need.longest),
            ids=ids,
            synchronize=waiter(cell.device),
            device=cell.device,
            bytes_of=cache_formula.bytes_of(config, dtype=cell.dtype, batch=cell.batch),
            free=lambda: free_bytes(cell.device),
            mode=name,
        )
        room = need.most - MOST_STEPS
        if not is_hasty and not asked.is_short and room > 0:
            emit("phase", name=f"operators {name}".rstrip())
            told = replace(told, operators=mode.operators(ids[:, : min(points.prompts[0], room)]))
        threads = torch.get_num_threads()
        if cell.backend == ONNXRUNTIME:
            torch.set_num_threads(1)  # its idle threads would take cores from the other runtime
        few = points.few(1 if is_hasty else 2) if name else points
        found = measure(reader, few, plan, emit, is_short=asked.is_short)
        torch.set_num_threads(threads)
        return mode, told, found

    kept = Found(left_out=dict(points.left_out))
    if own.missing:
        kept.left_out["perplexity"] = own.missing
    told: list[GenerationMode] = []
    setup: dict[str, Any] = {}
    claims: list[Claim] = []
    for name, opens in MODES[cell.backend].items():
        if name and asked.is_short:
            continue
        try:
            with torch.inference_mode():
                mode, one, found = taken(name, opens)
        except Exception as error:  # what the first mode has measured is kept
            if not name:
                raise
            kept.left_out[f"mode {name}"] = reason = reason_of(error)
            if not isinstance(error, Unsupported):
                claims.append(Claim(name=f"the mode {name} runs", holds=False, evidence=reason))
            continue
        kept.measurements += found.measurements
        kept.points += found.points
        kept.left_out.update(found.left_out)
        kept.absent.update(found.absent)
        setup = setup or dict(mode.setup)
        told.append(one)
        if one.is_exact and one.agreement:
            claims.append(agreement.claim_of(one.agreement, name))
    result = GenerateResult(
        weights=job.options.weights,
        num_samples=cell.batch,
        plan=plan.name,
        num_new=points.num_new,
        positions=limit,
        cache=told[0].cache,
        read_bytes=told[0].read_bytes,
        modes=tuple(told),
        points=tuple(kept.points),
        left_out=kept.left_out,
        absent=kept.absent,
        agreement=told[0].agreement,
        emulated=emulated(cell.device, cell.dtype),
        prompts=described(vocabulary, own.tokens),
        claims=tuple(claims),
        **device_facts(cell.device),
    )
    return StepOutput(measurements=tuple(kept.measurements), result=replace(result, **setup))


def reason_of(error: Exception) -> str:
    """Return the error in a line."""
    text = str(error).strip().splitlines()
    if isinstance(error, Unsupported) and text:
        return text[0]
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"


def extents(spec: ModelSpec, size: str, module: Any) -> tuple[int, int]:
    """Return positions (0 = no limit) and vocabulary, from the record, or from the model's configuration."""
    inputs, config = spec.sizes[size].inputs, getattr(module, "config", None)
    limit = inputs.get("longest") or getattr(config, "max_position_embeddings", 0)
    vocabulary = inputs.get("vocabulary") or getattr(config, "vocab_size", 0)
    return int(limit or 0), int(vocabulary or 0)


def agree(
    job: CellJob,
    mode: Mode,
    full: tuple[agreement.Full, agreement.Full],
    asked: GenerateOptions,
    limit: int,
    prompts_of: Callable[[int, int], Tensor],
) -> TokenAgreement:
    """Return how greedy decoding agrees with full recomputation; `full` does it in the cell's precision and in a higher
    one. Weights in fewer bits, which nothing is claimed of, are held against the first alone.
    """
    own, judge = full
    num_tokens = min(asked.num_agreeing, limit // 2) if limit else asked.num_agreeing
    room = limit - num_tokens if limit else max(AGREEING)
    lengths = [min(n, room) for n in (AGREEING_SHORT if asked.is_short else AGREEING)]
    ids = prompts_of(max(lengths), len(lengths))
    prompts = [row[:length] for row, length in zip(ids, lengths, strict=True)]
    decoder = mode.open(max(lengths) + num_tokens)
    found = agreement.continued(decoder, prompts, num_tokens, PAD)
    is_float32 = job.cell.dtype == "float32"
    return agreement.agreement_of(
        found,
        own,
        judge=judge if mode.told.is_exact else None,
        reference=own if is_float32 else judge,
        dtype=job.cell.dtype,
    )


def free_bytes(device: str) -> int:
    """Return the bytes of free memory on the device; 0 if unknown."""
    if is_accelerator(device):
        return int(torch.cuda.mem_get_info(device)[0])
    return int(describe_system().memory_available or 0)
