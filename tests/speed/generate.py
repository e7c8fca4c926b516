"""Decoding beside its peers, and the harness beside a loop of its own: `PYTHONPATH=. python tests/speed/generate.py`.

`decode`: llama (135 M) and gpt2, one user, 64 new tokens behind 512: transformers' own `generate` in eager float32, the
graph with its cache in ONNX Runtime at float32, int8 and int4, onnxruntime-genai on the same graph and on the graph of
its own builder (`--genai PYTHON`: an interpreter that has it, e.g. of a temporary environment), llama.cpp on the same
weights in float32 and in its 4 bits (`--llama-cpp PYTHON`, with `gguf`). Each arm is a process; they take turns (A B C,
C B A ...) of one request, and the others sleep. Printed: median latency between tokens, and the ratio of each arm to
eager: the median over pairs of neighbouring turns with its 95% interval; bytes of the graph; the bytes that a step
reads over that latency as a share of the memory bandwidth, which is measured before and after the turns; perplexity on
the first `--tokens` of the prompt, embedded prose; how many of the first tokens are eager's. `prepare` makes the graphs
for it, and nothing else.

`harness`: what the instrument measures against a loop that uses nothing of ours, in one process, request by request in
turns: time to the first token and latency between tokens, in eager PyTorch and in ONNX Runtime, as the median ratio
over the turns with its 95% interval.

Weights are random with seed 0, or a folder of `save_pretrained` per model: `--weights FOLDER/{model}`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

DEPTH, NEW = 512, 64
MODELS = ("llama", "gpt2")
ARMS = ("eager", "ort", "int8", "int4_32", "int4_128")
PEERS = {"genai": "ort", "genai_own": "ort", "llama_cpp": "ort", "llama_cpp_q4": "int4_32"}
"""Arm of another project -> ours at the same precision."""
PAST = "input.past_key_values.layers.%d."
Answer = tuple[list[float], list[int]]
"""Seconds between the tokens of a request, and the tokens."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "part", nargs="?", choices=("decode", "harness", "prepare", "arm"), default="decode"
    )
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--size", default="base")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backends", default="eager,ort", help="of the harness")
    parser.add_argument("--tokens", type=int, default=512, help="of the text for perplexity")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: seconds of processor of an arm, on a busy machine",
    )
    parser.add_argument("--work", type=Path, default=Path(".vitals/generate-speed"))
    parser.add_argument("--weights", default="")
    parser.add_argument("--genai", default="")
    parser.add_argument("--llama-cpp", default="")
    parser.add_argument("--arm", default="")
    given = parser.parse_args()
    if given.part == "arm":
        serve(given)
        return
    for model in given.models.split(","):
        run = {"decode": decode, "harness": harness, "prepare": prepare}[given.part]
        print(
            f"\n{model}, {given.size}, {given.threads} threads\n\n{run(model, given)}", flush=True
        )


# The parent: turns, and what they say.


def decode(model: str, given: argparse.Namespace) -> str:
    """The table of the arms as Markdown."""
    prepare(model, given)
    names = given.arms.split(",")
    names += ["genai", "genai_own"] if given.genai else []
    names += ["llama_cpp", "llama_cpp_q4"] if given.llama_cpp else []
    pythons = {
        **dict.fromkeys(("genai", "genai_own"), given.genai),
        **dict.fromkeys(("llama_cpp", "llama_cpp_q4"), given.llama_cpp),
    }
    arms, failed = {}, []
    for name in names:
        arm = start(pythons.get(name) or sys.executable, model, name, given)
        told = arm.stdout.readline()  # type: ignore[union-attr]
        if told:
            arms[name] = (arm, json.loads(told))
        else:
            failed.append(name)
    peak = bandwidth(given)
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(given.turns):
        for name in [*arms] if turn % 2 == 0 else [*arms][::-1]:
            taken[name].append(ask(arms[name][0]))
    for arm, _ in arms.values():
        arm.stdin.close()  # type: ignore[union-attr]
        arm.wait(timeout=60)
    peak = max(peak, bandwidth(given))
    lines = [
        f"memory bandwidth {peak / 1e9:.1f} GB/s",
        "",
        f"| arm | ms per token | tokens/s | over {names[0]} | bytes | bytes a step reads | of bandwidth | perplexity"
        f" | first tokens as {names[0]}'s |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, times in taken.items():
        ratios = [a / b for a, b in zip(taken[names[0]], times, strict=True)]
        told = arms[name][1]
        alike = zip(arms[names[0]][1]["tokens"], told["tokens"], strict=False)
        same = len([*takewhile(lambda pair: pair[0] == pair[1], alike)])
        size, read, surprise = (told.get(key) for key in ("bytes", "read", "perplexity"))
        share = read / statistics.median(times) / peak if read else 0
        lines.append(
            f"| {name} | {1e3 * statistics.median(times):.2f} | {1 / statistics.median(times):.1f}"
            f" | {spread(ratios, 2)}"
            f" | {f'{size:,}' if size else ''} | {f'{read:,}' if read else ''} | {f'{share:.0%}' if share else ''}"
            f" | {f'{surprise:,.1f}' if surprise else ''} | {same} of {NEW} |"
        )
    for peer, ours in PEERS.items():
        if {peer, ours} <= taken.keys():
            ratios = [a / b for a, b in zip(taken[peer], taken[ours], strict=True)]
            lines.append(f"\n{ours} over {peer}: {spread(ratios, 2)}")
    return "\n".join([*lines, *(f"\n{name} did not start; its error is above" for name in failed)])


def start(python: str, model: str, name: str, given: argparse.Namespace) -> subprocess.Popen[str]:
    """A process that loads an arm and then waits for its turns."""
    words = [python, __file__, "arm", "--arm", name, "--models", model, "--size", given.size]
    words += ["--threads", str(given.threads), "--work", str(given.work)]
    words += ["--tokens", str(given.tokens), "--clock", given.clock]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(arm: subprocess.Popen[str]) -> float:
    """One turn: the median latency between the tokens of a request."""
    assert arm.stdin
    assert arm.stdout
    arm.stdin.write("turn\n")
    arm.stdin.flush()
    return statistics.median(json.loads(arm.stdout.readline()))


def bandwidth(given: argparse.Namespace) -> float:
    """Bytes per second of copying memory, read and written, as the roofline of a run has it."""
    import torch

    from bench.instruments.roofline import copy_rate

    torch.set_num_threads(given.threads)
    return copy_rate("cpu")


def prepare(model: str, given: argparse.Namespace) -> str:
    """Write the model's weights, its graphs, and the folder that onnxruntime-genai opens, unless they are there."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import AutoConfig, PreTrainedTokenizerFast

    from suite.generation.cached_graph import export_cached
    from suite.generation.weight_formats import FORMATS, write_format

    folder = given.work / model
    graph = folder / "ort.onnx"
    if not graph.exists():
        module = built(model, given)
        module.save_pretrained(folder / "weights")
        # The builder of onnxruntime-genai wants a tokenizer beside the weights, whichever.
        words = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
        PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder / "weights")
        export_cached(module, graph, model, is_single=True)
    for name in FORMATS:
        if not (folder / f"{name}.onnx").exists():
            write_format(graph, folder / f"{name}.onnx", name)
    config = AutoConfig.from_pretrained(folder / "weights")
    heads = getattr(config, "num_attention_heads", 0)
    inputs = {
        "input_ids": "input_ids",
        "attention_mask": "attention_mask",
        "position_ids": "position_ids",
    }
    inputs |= {f"past_{kind}_names": f"{PAST}{kind}s" for kind in ("key", "value")}
    outputs = {"logits": "logits"}
    outputs |= {
        f"present_{kind}_names": f"{PAST}{kind}s".replace("input.", "output.")
        for kind in ("key", "value")
    }
    told = {
        "model": {
            "type": "llama", "vocab_size": config.vocab_size, "context_length": config.max_position_embeddings,
            "bos_token_id": 1, "eos_token_id": config.vocab_size - 1, "pad_token_id": 0,
            "decoder": {
                "filename": "ort.onnx", "session_options": {"intra_op_num_threads": given.threads},
                "head_size": config.hidden_size // heads, "hidden_size": config.hidden_size,
                "num_attention_heads": heads, "num_hidden_layers": config.num_hidden_layers,
                "num_key_value_heads": getattr(config, "num_key_value_heads", heads),
                "inputs": inputs, "outputs": outputs,
            },
        },
        "search": {"max_length": DEPTH + NEW, "do_sample": False, "past_present_share_buffer": True},
    }  # fmt: skip
    (folder / "genai_config.json").write_text(json.dumps(told, indent=1))
    return f"{folder} is ready"


def built(model: str, given: argparse.Namespace) -> Any:
    """The module: of the folder of weights, or random."""
    from transformers import AutoModelForCausalLM

    from suite.catalog import builtin_specs
    from suite.weights import module_for

    if given.weights:
        return AutoModelForCausalLM.from_pretrained(given.weights.format(model=model)).eval()
    spec = next(spec for spec in builtin_specs() if spec.name == model)
    return module_for(spec, given.size).eval()


# An arm: a process of its own.


def now(given: argparse.Namespace) -> float:
    """Seconds of the clock that was asked for."""
    return time.process_time() if given.clock == "cpu" else time.perf_counter()


def serve(given: argparse.Namespace) -> None:
    """Load the arm, tell its facts and tokens, and answer every line with the seconds between those of a request."""
    folder = given.work / given.models
    told, request = OPENS.get(given.arm, open_graph)(folder, given)
    print(json.dumps({**told, "tokens": request()[1]}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(request()[0]), flush=True)


def text(folder: Path, length: int) -> Any:
    """Ids [1, length] of the embedded prose."""
    from suite.data.sources import source_for, sources_in
    from suite.generation.prompts import text_prompts

    vocabulary = json.loads((folder / "weights" / "config.json").read_text())["vocab_size"]
    source = source_for(sources_in(None), "text")
    return text_prompts(source, vocabulary=vocabulary, length=length, number=1, seed=0)


def open_eager(folder: Path, given: argparse.Namespace) -> Any:
    """transformers' own `generate`, with its streamer as the clock."""
    import torch
    from transformers import AutoModelForCausalLM

    from suite.generation.causal import causal_decoder
    from suite.generation.decoder import bytes_read
    from suite.generation.perplexity import perplexity_of

    torch.set_num_threads(given.threads)
    module = AutoModelForCausalLM.from_pretrained(folder / "weights").eval()
    module.generation_config.eos_token_id = None
    ids = text(folder, DEPTH)
    seen: list[float] = []
    tokens: list[int] = []

    class Streamer:
        def put(self, value: Any) -> None:
            seen.append(now(given))
            tokens.extend(value.flatten().tolist())

        def end(self) -> None:
            pass

    def request() -> Answer:
        seen.clear()
        tokens.clear()
        module.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW,
            do_sample=False,
            use_cache=True,
            streamer=Streamer(),
        )
        return gaps(seen[1:]), tokens[-NEW:]  # the first value is the prompt

    with torch.inference_mode():
        surprise = perplexity_of(causal_decoder(module, "m"), ids[0, : given.tokens])
    size = sum(p.numel() * 4 for p in module.parameters())
    return {"perplexity": surprise, "bytes": size, "read": bytes_read(module)}, request


def open_graph(folder: Path, given: argparse.Namespace) -> Any:
    """A graph of ours in ONNX Runtime, as the instrument runs it."""
    import torch

    from bench.instruments.generation_rounds import greedy
    from suite.backends.onnxruntime import open_session
    from suite.generation.graph_decoder import graph_decoder
    from suite.generation.perplexity import perplexity_of
    from suite.generation.weight_formats import bytes_of_step, bytes_on_disk

    torch.set_num_threads(1)
    path = folder / f"{given.arm}.onnx"
    decoder = graph_decoder(open_session(path, "cpu", given.threads), None, DEPTH + NEW)
    ids = text(folder, DEPTH)

    def request() -> Answer:
        logits, state = decoder.read(ids, None)
        token = greedy(logits)
        seen, tokens = [now(given)], [token]
        for _ in range(NEW - 1):
            token = greedy(decoder.step(token, state))
            seen.append(now(given))
            tokens.append(token)
        return gaps(seen), [int(one) for one in tokens]

    surprise = perplexity_of(decoder, ids[0, : given.tokens])
    told = {"bytes": bytes_on_disk(path), "read": bytes_of_step(path)}
    return {"perplexity": surprise, **told}, request


def open_genai(folder: Path, given: argparse.Namespace) -> Any:
    """onnxruntime-genai, on our graph, or on that of its own builder."""
    import onnxruntime_genai as genai

    place = folder / "genai_own" if given.arm == "genai_own" else folder
    if given.arm == "genai_own" and not place.exists():
        words = ["-m", "onnxruntime_genai.models.builder", "-i", str(folder / "weights")]
        words += ["-o", str(place), "-p", "fp32", "-e", "cpu"]
        subprocess.run([sys.executable, *words], check=True, stdout=sys.stderr)
    if given.arm == "genai_own":
        told = json.loads((place / "genai_config.json").read_text())
        told["model"]["decoder"]["session_options"]["intra_op_num_threads"] = given.threads
        (place / "genai_config.json").write_text(json.dumps(told))
    model = genai.Model(str(place))
    ids = text(folder, DEPTH).numpy().astype("int32")

    def request() -> Answer:
        options = genai.GeneratorParams(model)
        options.set_search_options(max_length=DEPTH + NEW, do_sample=False)
        generator = genai.Generator(model, options)
        generator.append_tokens(ids)
        seen, tokens = [], []
        for _ in range(NEW):
            if generator.is_done():
                break
            generator.generate_next_token()
            tokens.append(int(generator.get_next_tokens()[0]))
            seen.append(now(given))
        return gaps(seen), tokens

    return {"version": genai.__version__}, request


def open_llama_cpp(folder: Path, given: argparse.Namespace) -> Any:
    """llama.cpp through its Python binding, on the same weights in float32, or in its 4 bits (Q4_0)."""
    import llama_cpp

    path = folder / "weights.gguf"
    if not path.exists():
        sys.path.insert(0, str(Path(__file__).parent))
        from as_gguf import write

        write(folder / "weights", path)
    if given.arm == "llama_cpp_q4":
        whole, path = path, folder / "q4.gguf"
        if not path.exists():
            settings = llama_cpp.llama_model_quantize_default_params()
            settings.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0
            if llama_cpp.llama_model_quantize(str(whole).encode(), str(path).encode(), settings):
                raise RuntimeError(f"{whole} was not quantized")
    model = llama_cpp.Llama(
        str(path),
        n_ctx=DEPTH + NEW,
        n_threads=given.threads,
        n_threads_batch=given.threads,
        verbose=False,
    )
    ids = text(folder, DEPTH)[0].tolist()

    def request() -> Answer:
        model.reset()
        seen, tokens = [], []
        for token in model.generate(ids, temp=0.0):
            seen.append(now(given))
            tokens.append(int(token))
            if len(tokens) == NEW:
                break
        return gaps(seen), tokens

    return {"version": llama_cpp.__version__, "bytes": path.stat().st_size}, request


OPENS = {
    "eager": open_eager,
    "genai": open_genai,
    "genai_own": open_genai,
    "llama_cpp": open_llama_cpp,
    "llama_cpp_q4": open_llama_cpp,
}


def gaps(seen: list[float]) -> list[float]:
    """The seconds from each to the next."""
    return [after - before for before, after in pairwise(seen)]


# The harness against loops that use nothing of ours.


def harness(model: str, given: argparse.Namespace) -> str:
    """The table of both, as Markdown."""
    prepare(model, given)
    lines = ["| backend | TTFT, harness over loop | decode, harness over loop |", "|:--|--:|--:|"]
    for backend in given.backends.split(","):
        ours, own = HARNESS[backend](given.work / model, given)
        pairs = []
        for turn in range(given.turns + 1):
            order = (ours, own) if turn % 2 == 0 else (own, ours)
            taken = {one: one() for one in order}
            pairs += [(taken[ours], taken[own])] if turn else []
        firsts = [a[0] / b[0] for a, b in pairs]
        steps = [statistics.median(a[1]) / statistics.median(b[1]) for a, b in pairs]
        lines.append(f"| {backend} | {spread(firsts)} | {spread(steps)} |")
    return "\n".join(lines)


def spread(ratios: list[float], digits: int = 3) -> str:
    """The median of the ratios with its 95% interval; with too few for one, their extremes."""
    from bench.stats import percentile

    found = percentile(ratios, 0.5)
    low = found.low if found and found.low is not None else min(ratios)
    high = found.high if found and found.high is not None else max(ratios)
    middle = statistics.median(ratios)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def by_harness(decoder: Any, ids: Any) -> Any:
    """A request as the instrument times it."""
    from bench.instruments.generation_rounds import Reader, answered, decoded
    from bench.instruments.stopwatch import CLOCK

    reader = Reader(
        open=lambda capacity: decoder, decoder=decoder, ids=ids, synchronize=lambda: None,
        device="cpu", bytes_of=lambda tokens: None, free=lambda: 0,
    )  # fmt: skip

    def request() -> tuple[float, list[float]]:
        begun = answered(reader, ids, None, CLOCK)
        return begun.ttft, decoded(reader, begun, NEW - 1, CLOCK)

    return request


def harness_eager(folder: Path, given: argparse.Namespace) -> Any:
    """The instrument's request, and a loop over transformers' forward."""
    import torch
    from transformers import AutoModelForCausalLM

    from suite.generation.causal import causal_decoder

    torch.set_num_threads(given.threads)
    torch.set_grad_enabled(False)
    module = AutoModelForCausalLM.from_pretrained(folder / "weights").eval()
    ids = text(folder, 128)

    def own() -> tuple[float, list[float]]:
        seen = [time.perf_counter()]
        past, token = None, ids
        for _ in range(NEW):
            out = module(input_ids=token, past_key_values=past, use_cache=True, logits_to_keep=1)
            past, token = out.past_key_values, out.logits[:, -1].argmax(-1, keepdim=True)
            int(token)
            seen.append(time.perf_counter())
        first, *rest = gaps(seen)
        return first, rest

    return by_harness(causal_decoder(module, "m"), ids), own


def harness_ort(folder: Path, given: argparse.Namespace) -> Any:
    """The instrument's request, and a loop over a session with buffers bound by NumPy."""
    import numpy as np
    import onnxruntime as ort
    import torch

    from suite.backends.onnxruntime import open_session
    from suite.generation.graph_decoder import graph_decoder

    torch.set_num_threads(1)
    ids, capacity = text(folder, 128), 128 + NEW
    session = open_session(folder / "ort.onnx", "cpu", given.threads)
    shapes = {one.name: one.shape for one in session.get_inputs() if "past" in one.name}

    def own() -> tuple[float, list[float]]:
        seen = [time.perf_counter()]
        binding = session.io_binding()
        for name, shape in shapes.items():
            array = np.zeros((1, int(shape[1]), capacity, int(shape[3])), np.float32)
            value = ort.OrtValue.ortvalue_from_numpy(array)
            binding.bind_ortvalue_input(name, value)
            binding.bind_ortvalue_output(name.replace("input.", "output."), value)
        token, length = ids.numpy(), 0
        for _ in range(NEW):
            length += token.shape[1]
            binding.bind_cpu_input("input_ids", token)
            binding.bind_cpu_input("attention_mask", np.ones((1, length), np.int64))
            places = np.arange(length - token.shape[1], length)[None]
            binding.bind_cpu_input("position_ids", places)
            binding.bind_output("logits")
            session.run_with_iobinding(binding)
            logits = binding.get_outputs()[-1].numpy()
            token = logits[:, -1].argmax(-1)[:, None]
            seen.append(time.perf_counter())
        first, *rest = gaps(seen)
        return first, rest

    return by_harness(graph_decoder(session, None, capacity), ids), own


HARNESS = {"eager": harness_eager, "ort": harness_ort}

if __name__ == "__main__":
    main()
