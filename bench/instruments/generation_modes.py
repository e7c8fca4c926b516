"""Worker side. Modes of generation: the kinds of cache and the formats of the weights that each backend runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from bench.instruments.decode_profile import MOST_STEPS, session_operators, torch_operators
from suite.axes import COMPILED, EAGER, EXPORT, ONNXRUNTIME, is_accelerator
from suite.backends import inductor
from suite.flat_tensors import cast
from suite.generation.causal import Buffers, causal_decoder
from suite.generation.decoder import Decoder, bytes_read
from suite.generation.encoder_decoder import start_of
from suite.generation.find import decoder_of
from suite.generation.weight_formats import FORMATS, bytes_of_step, bytes_on_disk, write_format
from suite.results.generate import GenerationMode
from suite.spec import ModelSpec
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit

FOLDER: Final = "generation"
"""Folder of the run for graphs that carry a cache."""
DYNAMIC: Final = "dynamic"
STATIC: Final = "static"
CARRIED: Final = "carried"
IN_PLACE: Final = "in_place"
"""Kinds of cache, see `GenerationMode.cache`; `static` names a mode, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Tokens of a sample that a cache needs room for."""

    longest: int
    """In the longest request."""
    agreeing: int
    """In the comparison of tokens."""
    limit: int
    """Positions of the model; 0 = no limit is known."""
    vocabulary: int

    @property
    def most(self) -> int:
        """Room for all of it."""
        most = max(self.longest, self.agreeing)
        return min(most, self.limit) if self.limit else most


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode, ready to run."""

    told: GenerationMode
    open: Callable[[int], Decoder]
    """Most tokens of a sample -> decoder."""
    operators: Callable[[Tensor], dict[str, float]]
    """Ids of a prompt -> operator -> its seconds per token decoded behind it."""
    setup: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the result that say what runs it."""


def dynamic(job: CellJob, spec: ModelSpec, built: Any, emit: Emit, need: Need) -> Mode:
    """The module in eager PyTorch, with the cache that it makes itself."""
    module = _placed(job, built, emit)
    decoder = decoder_of(module, spec.name)
    told = GenerationMode(cache=DYNAMIC, read_bytes=bytes_read(module))
    return _in_torch(job, told, lambda capacity: decoder)


def static(job: CellJob, spec: ModelSpec, built: Any, emit: Emit, need: Need) -> Mode:
    """The module in eager PyTorch, with transformers' cache of fixed size."""
    module = _placed(job, built, emit)
    make = _buffers_of(module, spec.name)
    told = GenerationMode(cache=STATIC, read_bytes=bytes_read(module))
    return _in_torch(
        job,
        told,
        lambda capacity: causal_decoder(
            module, spec.name, Buffers(capacity=capacity, make=partial(make, capacity))
        ),
    )


def compiled(job: CellJob, spec: ModelSpec, built: Any, emit: Emit, need: Need) -> Mode:
    """The same with decoding compiled; reading a prompt is not, for it has another shape each time.

    One size of cache serves every request, so that one token is compiled once.
    """
    module = _placed(job, built, emit)
    make = _buffers_of(module, spec.name)
    emit("phase", name="compile")
    step = inductor.compiled(module.forward, dynamic=False)
    buffers = Buffers(capacity=need.most, make=partial(make, need.most), step=step)
    decoder = causal_decoder(module, spec.name, buffers)
    ids = torch.ones((job.cell.batch, 2), dtype=torch.int64, device=job.cell.device)
    _, state = decoder.read(ids, None)
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        decoder.step(ids[:, :1], state)
        seconds.append(time.perf_counter() - begin)
    told = GenerationMode(
        cache=STATIC,
        read_bytes=bytes_read(module),
        compile_seconds=max(0.0, seconds[0] - seconds[1]),
    )
    return _in_torch(job, told, lambda capacity: decoder)


def graph(
    job: CellJob, spec: ModelSpec, built: Any, emit: Emit, need: Need, *, weights: str = ""
) -> Mode:
    """Sessions of the graph that carries the cache (of an encoder-decoder of three), with weights of a format of
    `FORMATS`; empty = float32. The graphs are made once per run, and their exporting is a phase.
    """
    import onnxruntime as ort

    from suite.backends.onnxruntime import open_session
    from suite.generation.cached_graph import export_cached
    from suite.generation.graph_decoder import graph_decoder
    from suite.generation.in_place import is_in_place
    from suite.generation.pair_graphs import export_pair, pair_decoder, paths_of

    cell = job.cell
    if is_accelerator(cell.device):
        raise Unsupported(
            f"{cell.id}: in ONNX Runtime generation is measured on the CPU alone; next: --device cpu"
        )
    eager = decoder_of(built, spec.name)
    is_pair, is_single = eager.is_encoder_decoder, cell.batch == 1
    stem = f"{cell.model}-{cell.size}-{cell.variant}"
    path = Path(job.options.run_dir, FOLDER, f"{stem}{'-one' * (is_single and not is_pair)}.onnx")
    paths = paths_of(path) if is_pair else (path,)
    if not all(one.exists() for one in paths):
        emit("phase", name=EXPORT)
        if is_pair:
            export_pair(built, path, spec.name, need.vocabulary)
        else:
            export_cached(built, path, spec.name, is_single=is_single)
    if weights:
        emit("phase", name=f"write {weights}")
        sources = paths
        paths = tuple(one.with_name(f"{one.stem}-{weights}.onnx") for one in paths)
        for source, target in zip(sources, paths, strict=True):
            if not target.exists():
                write_format(source, target, weights)
    emit("phase", name=f"session {weights}".rstrip())
    sessions = tuple(open_session(one, cell.device, job.options.threads) for one in paths)
    *others, session = sessions

    def decoder_of_session(last: Any, capacity: int) -> Decoder:
        if is_pair:
            start = start_of(getattr(built, "config", None))
            return pair_decoder((*others, last), eager.full, start)
        return graph_decoder(last, eager.full, capacity)

    def operators(ids: Tensor) -> dict[str, float]:
        def timed(prefix: str) -> tuple[Any, Decoder]:
            last = open_session(paths[-1], cell.device, job.options.threads, profile=prefix)
            return last, decoder_of_session(last, ids.shape[1] + MOST_STEPS)

        return session_operators(timed, ids)

    told = GenerationMode(
        cache=IN_PLACE if is_in_place(session) else CARRIED,
        is_exact=not weights,
        file_bytes=sum(map(bytes_on_disk, paths)),
        read_bytes=bytes_of_step(paths[-1]),
    )
    setup = dict(  # noqa: C408 (the names are fields, not backends)
        threads=session.get_session_options().intra_op_num_threads,
        provider=session.get_providers()[0],
        onnxruntime=ort.__version__,
    )
    return Mode(
        told=told, open=partial(decoder_of_session, session), operators=operators, setup=setup
    )


Opens = Callable[[CellJob, ModelSpec, Any, Emit, Need], Mode]
MODES: Final[dict[str, dict[str, Opens]]] = {
    EAGER: {"": dynamic, STATIC: static},
    COMPILED: {"": compiled},
    ONNXRUNTIME: {"": graph, **{name: partial(graph, weights=name) for name in FORMATS}},
}
"""Backend -> name of a mode -> what opens it; the first has no name, and is measured at every point."""


def _placed(job: CellJob, built: Any, emit: Emit) -> Any:
    """Return the module on the cell's device in its dtype."""
    emit("phase", name="to_device")
    return cast(built, job.cell.device, getattr(torch, job.cell.dtype))


def _buffers_of(module: Any, name: str) -> Callable[[int, int], Any]:
    """Return the function: capacity, samples -> an empty static cache; raise Unsupported if the module takes none."""
    if not getattr(module, "_can_compile_fullgraph", False) or module.config.is_encoder_decoder:
        raise Unsupported(
            f"{name}: a static cache is made for causal models of transformers that take one; next: the dynamic one"
        )
    from transformers import StaticCache

    config = module.config
    return lambda capacity, samples: StaticCache(config=config, max_cache_len=capacity)


def _in_torch(job: CellJob, told: GenerationMode, opens: Callable[[int], Decoder]) -> Mode:
    """Return a mode that PyTorch runs."""
    return Mode(
        told=told,
        open=opens,
        operators=lambda ids: torch_operators(
            opens(ids.shape[1] + MOST_STEPS), job.cell.device, ids
        ),
        setup={"threads": torch.get_num_threads()},
    )
