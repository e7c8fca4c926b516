"""Worker side. Runs of a graph: one for its inner values and a few for the time of its nodes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from bench.graph_analysis.evidence import ProfiledNode
from bench.graph_analysis.profiled import KERNEL, nodes_of
from bench.onnx_graph.names import family
from bench.onnx_graph.observed import NO_SPINNING
from bench.onnx_graph.record import Graph, Node

LARGEST: Final = 1_500_000_000
"""Maximum size in bytes of a graph whose inner values are read: it is held in memory twice; protobuf is limited to 2
GB.
"""
WRITTEN: Final = 300_000_000
"""Maximum size in bytes of a graph with its weights for which the session saves its optimized graph, to name fused
nodes: saving copies all weights.
"""
BESIDE: Final = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's option for the folder with the weights of a model passed as bytes."""
PROFILED: Final = 0.25
"""Seconds of profiled runs; at least three runs."""
LONG: Final = 1.5
"""Seconds after which one profiled run is enough: of a run of seconds the operators' shares do not scatter."""
MOST_RUNS: Final = 20
OPEN: Final = (8, 128, 2048, 16_000)
"""Extents tried for open axes, shortest first."""
FUSED: Final = 4
"""Maximum number of consecutive nodes fused into one, when searching for its root."""
MADE: Final = ("_nchwc", "_nhwc")
"""Suffixes that the layout optimizer adds to the name of a value to name the node that produces it."""


def values_of_a_run(path: Path, names: Sequence[str], feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Return value -> numpy array in one run on `feeds` without fusion, for values of the main graph.

    Raises what ONNX Runtime raises, ValueError for a graph that is too large.
    """
    import onnx
    import onnxruntime

    if path.stat().st_size > LARGEST:
        raise ValueError(f"the graph has {path.stat().st_size:,} bytes; expected up to {LARGEST:,}")
    model = onnx.load(path, load_external_data=False)
    made = {name for node in model.graph.node for name in node.output if name}
    wanted = [name for name in dict.fromkeys(names) if name in made]
    if not wanted:
        return {}
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry(*NO_SPINNING)
    # External weights stay in their file: the session maps it.
    options.add_session_config_entry(BESIDE, str(path.parent.resolve()))
    content = model.SerializeToString()
    del model
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    del content
    return dict(zip(wanted, session.run(wanted, dict(feeds)), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimes:
    """Where the time of a session goes."""

    spent: dict[str, float]
    """Key of a node of the file -> seconds per run."""
    unassigned: float
    """Seconds that belong to no node of the file."""
    nodes: tuple[ProfiledNode, ...]
    """The nodes that ran, after the session's optimizations."""


def time_of_nodes(
    path: Path,
    graph: Graph,
    feeds: Mapping[str, Any],
    *,
    threads: int = 0,
    beside: AbstractContextManager[None] | None = None,
    alone: AbstractContextManager[None] | None = None,
) -> NodeTimes:
    """Return the seconds per run of the nodes.

    The graph is optimized as in a real session: a fused node's time is assigned to the node after which it is named.
    Each time is the median over several runs. `beside` is held while the session is made and runs once, `alone` while
    it is timed (`bench.graph_analysis.quiet`). Raises what ONNX Runtime raises.
    """
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="vitals-profile-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        optimized = Path(folder, "optimized.onnx")
        if graph.num_bytes < WRITTEN:
            options.optimized_model_filepath = str(optimized)
        with beside or nullcontext():
            session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
            session.run(None, dict(feeds))
        with alone or nullcontext():
            began, num_runs = perf_counter(), 1
            while is_short(num_runs, perf_counter() - began):
                session.run(None, dict(feeds))
                num_runs += 1
        profile = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        outputs = {}
        if optimized.is_file():
            model = onnx.load(optimized, load_external_data=False)
            outputs = {node.name: tuple(node.output) for node in model.graph.node}
    spent: dict[tuple[str, str], list[float]] = {}
    for event in profile:
        name, operator = str(event.get("name", "")), str(event.get("args", {}).get("op_name", ""))
        if event.get("cat") == "Node" and name.endswith(KERNEL):
            own = spent.setdefault((name.removesuffix(KERNEL), operator), [])
            own.append(float(event["dur"]) * 1e-6)
    # The first run is the cold one; the runs of a node follow each other.
    warm = {key: own[len(own) // num_runs :] for key, own in spent.items()}
    found, unassigned = _assigned(warm, graph, outputs, num_runs - 1)
    return NodeTimes(spent=found, unassigned=unassigned, nodes=nodes_of(profile, num_runs))


def is_short(num_runs: int, seconds: float) -> bool:
    """Return whether a profile of so many runs, the cold one included, and seconds after that one needs another run."""
    if num_runs < 4:
        return num_runs < 2 or seconds < LONG
    return seconds < PROFILED and num_runs < MOST_RUNS


def _assigned(
    spent: Mapping[tuple[str, str], Sequence[float]],
    graph: Graph,
    outputs: Mapping[str, tuple[str, ...]],
    num_runs: int,
) -> tuple[dict[str, float], float]:
    """Return the seconds by node of the file.

    `spent`: (node of the optimized graph, its operator) -> seconds. `outputs`: node of the optimized graph -> its
    output values.
    """
    main = {node.key: node for node in graph.nodes if not node.outer}
    makers = {value.name: node for node in main.values() for value in node.outputs}
    # Their time is included in that of the loop or branch around them.
    inner = {node.key.rpartition("/")[2] for node in graph.nodes if node.outer} - main.keys()
    found: dict[str, float] = {}
    unassigned = 0.0
    for (name, operator), durations in spent.items():
        if name in inner:
            continue
        seconds = median(durations) * len(durations) / num_runs
        node = _maker(name, outputs.get(name, ()), main, makers)
        if node is not None:
            key = _at_its_root(node, operator, makers).key
            found[key] = found.get(key, 0.0) + seconds
        else:
            unassigned += seconds
    return found, unassigned


def _maker(
    name: str, outputs: Sequence[str], main: Mapping[str, Node], makers: Mapping[str, Node]
) -> Node | None:
    """Return the node of the file that a node of the optimized graph represents; None if it has no counterpart."""
    if name in main:
        return main[name]
    for value in outputs:
        if value in makers:
            return makers[value]
    plain = name.removeprefix("fused ").partition("_token_")[0].partition("/MatMulAddFusion")[0]
    for end in MADE:
        plain = plain.removesuffix(end)
    return main.get(plain) or makers.get(plain)


def _at_its_root(node: Node, operator: str, makers: Mapping[str, Node]) -> Node:
    """Return the node after which a fused one is named: the Conv of a Conv with its Relu, whose result the Relu
    gives.
    """
    found = node
    for _ in range(FUSED):
        if family(found.operator) == family(operator):
            return found
        above = makers.get(found.inputs[0]) if found.inputs else None
        if above is None:
            break
        found = above
    return node


def working_feeds(path: Path, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return random feeds that the graph accepts: open axes without a size in `sizes` are lengthened until it runs.

    Raises what ONNX Runtime raises.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # It runs once: prepacked weights would only take memory.
    options.add_session_config_entry("session.disable_prepacking", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    first: Exception | None = None
    for open_size in OPEN:
        try:
            feeds = _feeds_of(session, sizes or {}, open_size)
            session.run(None, feeds)
        except Exception as error:
            # A speech model, for example, produces nothing from eight samples. What the shortest said is the reason;
            # the longest may only lack memory.
            first = first or error
        else:
            return feeds
    assert first is not None, "OPEN is not empty"
    raise first


def random_feeds(path: Path, sizes: Mapping[str, int], open_size: int = 8) -> dict[str, Any]:
    """Return input -> array of the declared type and shape: normal numbers, zeros for integers; the same on every call.

    Open axes take their extent from `sizes` (their name, or `INPUT:AXIS`), else `open_size`; an open first axis is a
    batch of 1. Raises what ONNX Runtime raises, ValueError for an input that is not a tensor of numbers or text.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return _feeds_of(session, sizes, open_size)


def _feeds_of(session: Any, sizes: Mapping[str, int], open_size: int) -> dict[str, Any]:
    """Return the random feeds for the inputs of a session."""
    import numpy as np

    dice = np.random.default_rng(0)
    feeds: dict[str, Any] = {}
    chosen = dict(sizes)
    for port in session.get_inputs():
        for place, name in enumerate(_named_dims(port)):
            if isinstance(name, str) and f"{port.name}:{place}" in sizes:
                chosen.setdefault(name, sizes[f"{port.name}:{place}"])
    ports = session.get_inputs()
    shapes = {
        port.name: [
            _extent(d, chosen, 1 if place == 0 else open_size)
            for place, d in enumerate(_named_dims(port))
        ]
        for port in ports
    }
    mask = _mask_of_cache(ports, shapes, sizes)
    for port in ports:
        kind = TYPES.get(port.type)
        if kind is None:
            raise ValueError(f"input {port.name!r} is {port.type}; expected a tensor of numbers")
        shape = shapes[port.name]
        if kind.startswith("float"):
            feeds[port.name] = dice.standard_normal(shape).astype(kind)
        else:
            feeds[port.name] = np.full(shape, int(port.name == mask), dtype=kind)
    return feeds


def _extent(dim: int | str, chosen: Mapping[str, int], open_size: int) -> int:
    """Return the extent of an axis: its own, the one chosen for its name, for `past + new` the sum of both, else
    `open_size`.
    """
    if isinstance(dim, int):
        return dim
    if dim in chosen or "+" not in dim:
        return chosen.get(dim, open_size)
    return sum(
        int(part) if part.isdecimal() else chosen.get(part, open_size)
        for part in map(str.strip, dim.split("+"))
    )


def _mask_of_cache(
    ports: Sequence[Any], shapes: dict[str, list[int]], sizes: Mapping[str, int]
) -> str:
    """Return the name of a language model's mask over the tokens in its cache and the new ones, "" for none; make it as
    long as both, unless its extent is given: it says so itself only where the exporter named the axis as a sum.
    """
    past = [port.name for port in ports if "past" in port.name and len(shapes[port.name]) == 4]
    if not past or not {IDS, MASK} <= shapes.keys():
        return ""
    axis = next(port.shape[-1] for port in ports if port.name == MASK)
    if (
        isinstance(axis, str)
        and axis not in sizes
        and f"{MASK}:{len(shapes[MASK]) - 1}" not in sizes
    ):
        shapes[MASK][-1] = shapes[past[0]][2] + shapes[IDS][-1]
    return MASK


IDS: Final = "input_ids"
MASK: Final = "attention_mask"
"""Inputs of a language model's graph, under the names that every exporter gives them."""

TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    **{
        f"tensor({sign}int{bits})": f"{sign}int{bits}"
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "tensor(string)": "object",
}
"""ONNX Runtime's name of a type -> numpy's."""


def _named_dims(port: Any) -> list[int | str]:
    """Return the axes of an input: extents, names of open axes, `INPUT:AXIS` for one without a name.

    An axis whose name is a number has that extent: transformers' exporter writes fixed axes so.
    """
    return [
        int(d)
        if isinstance(d, str) and d.isdecimal()
        else d
        if (isinstance(d, int) and d > 0) or isinstance(d, str)
        else f"{port.name}:{place}"
        for place, d in enumerate(port.shape)
    ]
