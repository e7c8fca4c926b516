"""Decoding with a cache against full recomputation: right caches pass, wrong ones are caught whatever they choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from suite.generation import agreement, cache_formula
from suite.generation.causal import Buffers, causal_decoder
from suite.generation.decoder import Decoder, State, bytes_read, copied, num_bytes
from suite.generation.find import decoder_of
from suite.results.generate import TokenAgreement
from suite.worker.errors import Unsupported

pytestmark = pytest.mark.heavy
SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 96,
}
PAIRS = {
    "t5": {"vocab_size": 97, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
    "bart": {
        "vocab_size": 97,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 96,
    },
    "translator": {
        "vocabulary": 97,
        "width": 32,
        "heads": 4,
        "layers": 2,
        "feed_forward": 48,
        "longest": 96,
        "dropout": 0.0,
    },
}
"""Models with an encoder: relative, learned and fixed positions; the last one is our own."""
KINDS = {
    "gpt2": {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96},
    "llama": SMALL,
    "qwen2": SMALL,  # grouped queries with biases
    "mistral": {**SMALL, "sliding_window": 8},
    "gpt_bigcode": {
        "vocab_size": 97,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 96,
        "multi_query": True,
    },
}
LENGTHS = (20, 13, 6)
NUM = 24


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


def built(kind: str) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    from suite.nets.translator import Translator

    torch.manual_seed(0)
    if kind == "translator":
        return Translator(**PAIRS[kind]).eval()
    if kind in PAIRS:
        return AutoModelForSeq2SeqLM.from_config(CONFIG_MAPPING[kind](**PAIRS[kind])).eval()
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**KINDS[kind])).eval()


def prompts() -> list[Any]:
    rows = torch.randint(1, 97, (3, max(LENGTHS)), generator=torch.Generator().manual_seed(1))
    return [row[:length] for row, length in zip(rows, LENGTHS, strict=True)]


def compared(module: Any, **parts: Any) -> TokenAgreement:
    """How decoding agrees when `parts` of the decoder are replaced."""
    decoder = decoder_of(module, "m")
    found = agreement.continued(replace(decoder, **parts), prompts(), NUM, 0)
    judge = decoder_of(agreement.judging(module, "float32"), "m").full
    return agreement.agreement_of(
        found, decoder.full, judge=judge, reference=decoder.full, dtype="float32"
    )


@pytest.mark.parametrize("kind", [*KINDS, *PAIRS])
def test_a_padded_batch_decodes_the_tokens_of_each_prompt_alone(kind: str) -> None:
    found = compared(built(kind))
    assert found.num_equal == 3 * NUM
    assert found.is_right, found
    assert not found.partings


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_one_pass_over_the_tokens_gives_what_growing_passes_without_a_cache_give(kind: str) -> None:
    module = built(kind)
    decoder = causal_decoder(module, "m")
    prompt = prompts()[0]
    tokens = agreement.continued(decoder, [prompt], NUM, 0).tokens[0]
    ids = prompt
    for token, logits in zip(tokens, decoder.full(prompt, tokens), strict=True):
        alone = module(input_ids=ids[None], use_cache=False).logits[0, -1]
        assert int(alone.argmax()) == int(token)
        assert torch.allclose(alone, logits, atol=1e-5)
        ids = torch.cat([ids, token[None]])


def lets_padding_in(decoder: Decoder, module: Any) -> dict[str, Any]:
    return {"read": lambda ids, mask=None: decoder.read(ids, None)}


def is_off_by_one_position(decoder: Decoder, module: Any) -> dict[str, Any]:
    def step(ids: Any, state: State) -> Any:
        assert state.mask is not None
        state.mask = torch.cat([state.mask, torch.ones_like(ids)], 1)
        places = state.mask.sum(1, keepdim=True)  # of the next token
        result = module(
            input_ids=ids,
            past_key_values=state.cache,
            use_cache=True,
            attention_mask=state.mask,
            position_ids=places,
        )
        return result.logits[:, -1]

    return {"step": step}


def keeps_a_stale_slot(decoder: Decoder, module: Any) -> dict[str, Any]:
    def step(ids: Any, state: State) -> Any:
        logits = decoder.step(ids, state)
        layer = state.cache.layers[0]
        if layer.keys.shape[2] == max(LENGTHS) + 5:
            layer.keys[:, :, -1] = layer.keys[:, :, -2]
            layer.values[:, :, -1] = layer.values[:, :, -2]
        return logits

    return {"step": step}


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("fault", [lets_padding_in, is_off_by_one_position, keeps_a_stale_slot])
def test_a_wrong_cache_is_caught_by_its_logits(kind: str, fault: Any) -> None:
    module = built(kind)
    found = compared(module, **fault(causal_decoder(module, "m"), module))
    assert not found.is_right
    assert found.error > 10 * found.limit
    claim = agreement.claim_of(found)
    assert not claim.holds
    assert "expected at most" in claim.evidence


def test_the_same_tokens_are_recomputed_once() -> None:
    passes = []

    def full(prompt: Any, tokens: Any) -> Any:
        passes.append(len(tokens))
        return tokens[:, None].double()

    kept = agreement.remembered(full)
    prompt, tokens = torch.tensor([1, 2]), torch.tensor([3, 4, 5])
    first = kept(prompt, tokens)
    assert torch.equal(kept(prompt.clone(), tokens.clone()), first)
    assert passes == [3]
    assert not torch.equal(kept(prompt, tokens + 1), first)
    assert passes == [3, 3]


@pytest.mark.parametrize("kind", ["gpt2", "llama", "translator"])
def test_bfloat16_is_held_against_float32_and_a_wrong_cache_is_caught_there_too(kind: str) -> None:
    exact, module = built(kind), built(kind).to(torch.bfloat16)
    decoder, judge = decoder_of(module, "m"), decoder_of(exact, "m").full

    def agreed(decoder: Decoder) -> TokenAgreement:
        found = agreement.continued(decoder, prompts(), NUM, 0)
        return agreement.agreement_of(
            found, decoder.full, judge=judge, reference=judge, dtype="bfloat16"
        )

    right = agreed(decoder)
    assert right.is_right, right
    assert right.judged_by == "float32"
    assert right.error > 1e-4  # it was 16 bits that decoded
    assert all(parting.is_near_tie for parting in right.partings)
    blind = replace(decoder, read=lambda ids, mask=None: decoder.read(ids, None))
    assert not agreed(blind).is_right


def test_where_tokens_part_the_step_both_tokens_and_the_margin_are_told() -> None:
    logits = torch.tensor([[[0.0, 2.0, 1.0], [0.0, 1.0, 1.0 + 1e-6]]])
    found = agreement.Continued(
        prompts=(torch.tensor([1]),), tokens=torch.tensor([[1, 2]]), logits=logits
    )
    exact = torch.tensor([[0.0, 2.0, 1.0], [0.0, 1.0 + 1e-6, 1.0]])
    near = agreement.agreement_of(
        found, lambda p, t: exact, judge=None, reference=lambda p, t: exact, dtype="float32"
    )
    (parting,) = near.partings
    assert (parting.prompt, parting.step, parting.token, parting.expected) == (0, 1, 2, 1)
    assert parting.margin == pytest.approx(1e-6, rel=0.1)
    assert parting.is_near_tie
    assert near.is_right
    assert "a near-tie" in agreement.claim_of(near).evidence
    far = torch.tensor([[0.0, 2.0, 1.0], [0.0, 3.0, 1.0]])
    wrong = agreement.agreement_of(
        found, lambda p, t: far, judge=None, reference=lambda p, t: far, dtype="float32"
    )
    assert not wrong.partings[0].is_near_tie
    assert not wrong.is_right


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "gpt_bigcode"])
def test_the_bytes_of_the_cache_are_those_of_the_formula(kind: str) -> None:
    module = built(kind)
    decoder = causal_decoder(module, "m")
    ids = torch.ones((2, 11), dtype=torch.int64)
    _, state = decoder.read(ids, None)
    decoder.step(ids[:, :3], state)
    formula = cache_formula.bytes_of(module.config.to_dict(), dtype="float32", batch=2)
    assert state.length == 14
    assert formula(14) == num_bytes(state)


@pytest.mark.parametrize("kind", PAIRS)
def test_an_encoder_reads_once_and_its_padding_is_seen(kind: str) -> None:
    module = built(kind)
    decoder = decoder_of(module, "m")
    assert decoder.is_encoder_decoder
    ids = torch.ones((2, 11), dtype=torch.int64)
    _, state = decoder.read(ids, None)
    passes = []
    encoder = module.transformer.encoder if kind == "translator" else module.get_encoder()
    encoder.register_forward_hook(lambda *_: passes.append(1))
    before = num_bytes(state)
    decoder.step(ids[:, :3], state)
    assert not passes
    assert (state.length, state.source) == (4, 11)
    assert before > 0
    assert num_bytes(state) * 12 == before * 15  # 11 of the source and 1, then 4, decoded
    formula = cache_formula.bytes_of(cache_formula.config_of(module), dtype="float32", batch=2)
    assert formula(state.num_cached) == num_bytes(state)
    wrong = compared(module, read=lambda ids, mask=None: decoder.read(ids, None))
    assert not wrong.is_right


# One graph for prefill and decode, in ONNX Runtime.


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Decoder]:
    """A tiny llama, and its graph in a session."""
    from suite.backends.onnxruntime import open_session
    from suite.generation.cached_graph import export_cached
    from suite.generation.graph_decoder import graph_decoder

    module = built("llama")
    path = tmp_path_factory.mktemp("generation") / "llama.onnx"
    export_cached(module, path, "llama")
    return module, graph_decoder(open_session(path, "cpu", 1), decoder_of(module, "llama").full)


def test_a_graph_that_carries_its_cache_decodes_a_padded_batch_like_full_recomputation(
    graph: tuple[Any, Decoder],
) -> None:
    module, decoder = graph
    found = compared(module, read=decoder.read, step=decoder.step)
    assert found.is_right, found
    assert found.num_equal == 3 * NUM
    wrong = compared(module, read=lambda ids, mask=None: decoder.read(ids, None), step=decoder.step)
    assert not wrong.is_right


@pytest.mark.parametrize("prompt", [5, 20])
@pytest.mark.parametrize("depth", [0, 1, 9])
def test_the_graph_has_parity_at_prefills_and_depths(
    graph: tuple[Any, Decoder], prompt: int, depth: int
) -> None:
    module, decoder = graph
    ids = torch.stack([row[:6] for row in prompts()]).repeat(1, 5)
    if depth:
        _, state = decoder.read(ids[:, :depth], None)
        logits = decoder.step(ids[:, depth : depth + prompt], state)
    else:
        logits, state = decoder.read(ids[:, :prompt], None)
    again = decoder.step(ids[:, :1], copied(state))
    read = ids[:, : depth + prompt]
    for found, whole in ((logits, read), (again, torch.cat([read, ids[:, :1]], 1))):
        exact = module(input_ids=whole, use_cache=False).logits[:, -1]
        assert torch.allclose(found, exact, atol=2e-6)
    assert state.length == depth + prompt
    assert num_bytes(state) == 2 * 2 * 2 * 8 * 4 * 3 * state.length  # as by the formula


# The same for one user, its cache in buffers, and its weights in fewer bits.

ROOM = max(LENGTHS) + NUM


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tiny gpt2, whose layers are Gemm, and its graph for one user."""
    from suite.generation.cached_graph import export_cached

    module = built("gpt2")
    path = tmp_path_factory.mktemp("generation") / "gpt2.onnx"
    export_cached(module, path, "gpt2", is_single=True)
    return module, path


def opened(single: tuple[Any, Path], name: str = "", capacity: int = ROOM) -> Decoder:
    """The decoder of that graph, in a format of the weights."""
    from suite.backends.onnxruntime import open_session
    from suite.generation.graph_decoder import graph_decoder
    from suite.generation.weight_formats import write_format

    module, graph = single
    path = graph.with_name(f"{name or 'gpt2'}.onnx")
    if not path.exists():
        write_format(graph, path, name)
    session = open_session(path, "cpu", 1)
    return graph_decoder(session, decoder_of(module, "gpt2").full, capacity)


def test_only_the_axes_of_tokens_are_open_in_the_file(single: tuple[Any, Path]) -> None:
    import onnx

    model = onnx.load(single[1], load_external_data=False).graph
    named = {
        (value.name.partition(".")[0], place)
        for value in (*model.input, *model.output)
        for place, axis in enumerate(value.type.tensor_type.shape.dim)
        if axis.dim_param
    }
    tokens = {
        ("input_ids", 1),
        ("attention_mask", 1),
        ("position_ids", 1),
        ("input", 2),
        ("output", 2),
    }
    assert named == tokens


def test_a_graph_for_one_user_writes_its_cache_in_place(single: tuple[Any, Path]) -> None:
    decoder = opened(single)
    assert decoder.is_single
    ids = prompts()[0][None, :7]
    _, state = decoder.read(ids, None)
    before = {name: tensor.data_ptr() for name, tensor in state.cache.items()}
    filled = {name: tensor[:, :, :7].clone() for name, tensor in state.cache.items()}
    decoder.step(ids[:, :1], state)
    assert {name: tensor.data_ptr() for name, tensor in state.cache.items()} == before
    for name, tensor in state.cache.items():
        assert torch.equal(tensor[:, :, :7], filled[name])
        assert bool(tensor[:, :, 7].any())
        assert not bool(tensor[:, :, 8:].any())
    formula = cache_formula.bytes_of(single[0].config.to_dict(), dtype="float32", batch=1)
    assert (state.length, state.num_cached) == (8, ROOM)
    assert num_bytes(state) == formula(ROOM)
    with pytest.raises(ValueError, match=f"{ROOM + 1} tokens do not fit into a cache of {ROOM}"):
        decoder.step(prompts()[0].repeat(9)[None, : ROOM - 7], state)


def test_two_states_in_buffers_go_their_own_ways(single: tuple[Any, Path]) -> None:
    decoder = opened(single)
    ids = prompts()[0][None]
    _, state = decoder.read(ids[:, :9], None)
    other = copied(state)
    first = decoder.step(ids[:, 9:10], other)
    decoder.step(ids[:, 3:4], state)
    again = decoder.read(ids[:, :10], None)[0]
    assert torch.allclose(first, again, atol=2e-6)


def stale(decoder: Decoder) -> dict[str, Any]:
    def step(ids: Any, state: State) -> Any:
        logits = decoder.step(ids, state)
        if state.length == max(LENGTHS) + 5:
            tensor = next(iter(state.cache.values()))
            tensor[:, :, state.length - 1] = tensor[:, :, state.length - 2]
        return logits

    return {"step": step}


def unmasked(decoder: Decoder) -> dict[str, Any]:
    return {"read": lambda ids, mask=None: decoder.read(ids, None)}


def off_by_one(decoder: Decoder) -> dict[str, Any]:
    def read(ids: Any, mask: Any = None) -> Any:
        logits, state = decoder.read(ids, mask)
        state.length += 1  # a slot that nothing was written to
        return logits, state

    return {"read": read}


def test_its_tokens_are_those_of_full_recomputation_and_wrong_buffers_are_caught(
    single: tuple[Any, Path],
) -> None:
    decoder = opened(single, capacity=ROOM + 1)
    parts = {"read": decoder.read, "step": decoder.step, "is_single": True}
    found = compared(single[0], **parts)
    assert found.is_right, found
    assert found.num_equal == 3 * NUM
    for fault in (stale, unmasked, off_by_one):
        wrong = compared(single[0], **{**parts, **fault(decoder)})
        assert wrong.error > 10 * wrong.limit, fault


def test_weights_in_fewer_bits_keep_perplexity_and_take_fewer_bytes(
    single: tuple[Any, Path],
) -> None:
    import onnx

    from suite.generation.perplexity import perplexity_of
    from suite.generation.weight_formats import FORMATS, bytes_of_step

    module, graph = single
    text = prompts()[0]
    exact = perplexity_of(decoder_of(module, "gpt2"), text)
    assert perplexity_of(opened(single), text) == pytest.approx(exact, rel=1e-5)
    whole = bytes_of_step(graph)
    for name in FORMATS:
        decoder = opened(single, name)
        found = compared(module, read=decoder.read, step=decoder.step, is_single=True)
        assert 0 < found.error < 0.5, name  # no float weights, and no noise
        assert perplexity_of(decoder, text) == pytest.approx(exact, rel=0.05)
        written = graph.with_name(f"{name}.onnx")
        assert bytes_of_step(written) < 0.6 * whole
        kinds = [node.op_type for node in onnx.load(written).graph.node]
        assert not {"Gemm", "FusedMatMul", "MatMul"} & set(kinds)
        assert sum(kind in ("MatMulNBits", "MatMulInteger") for kind in kinds) == 4 * 2 + 1


def test_a_decoded_token_is_timed_by_operator(single: tuple[Any, Path]) -> None:
    from bench.instruments.decode_profile import MOST_STEPS, session_operators, torch_operators
    from suite.backends.onnxruntime import open_session
    from suite.generation.graph_decoder import graph_decoder

    module, graph = single
    ids = prompts()[0][None, :7]

    def opens(prefix: str) -> tuple[Any, Decoder]:
        session = open_session(graph, "cpu", 1, profile=prefix)
        return session, graph_decoder(session, None, 7 + MOST_STEPS)

    found = session_operators(opens, ids)
    assert found["GroupQueryAttention"] > 0
    assert all(seconds >= 0 for seconds in found.values())
    plain = torch_operators(decoder_of(module, "gpt2"), "cpu", ids)
    assert plain["aten::addmm"] > 0


# An encoder-decoder in three graphs.


@pytest.mark.parametrize("kind", ["t5", "translator"])
def test_graphs_encode_once_and_decode_the_same_tokens(kind: str, tmp_path: Path) -> None:
    from suite.backends.onnxruntime import open_session
    from suite.generation.encoder_decoder import start_of
    from suite.generation.pair_graphs import export_pair, pair_decoder, paths_of
    from suite.generation.weight_formats import write_format

    module = built(kind)
    eager, start = decoder_of(module, kind), start_of(getattr(module, "config", None))
    paths = paths_of(tmp_path / "pair.onnx")
    export_pair(module, tmp_path / "pair.onnx", kind, 97)
    sessions = tuple(open_session(path, "cpu", 1) for path in paths)
    decoder = pair_decoder(sessions, eager.full, start)
    found = compared(module, read=decoder.read, step=decoder.step)
    assert found.is_right, found
    assert found.num_equal == 3 * NUM
    wrong = compared(module, read=lambda ids, mask=None: decoder.read(ids, None), step=decoder.step)
    assert not wrong.is_right
    # Keys and values of the source are made once, and the cache has the bytes of the formula.
    ids = torch.ones((2, 11), dtype=torch.int64)
    _, state = decoder.read(ids, None)
    before = {name: tensor.data_ptr() for name, tensor in state.cache.items()}
    decoder.step(ids[:, :3], state)
    same = {name for name, tensor in state.cache.items() if tensor.data_ptr() == before[name]}
    assert same == {name for name in before if "cross" in name or "source" in name}
    assert len(same) == 4
    formula = cache_formula.bytes_of(cache_formula.config_of(module), dtype="float32", batch=2)
    assert (state.num_cached, num_bytes(state)) == (15, formula(15))
    light = []
    for path in paths:
        written = path.with_name(f"{path.stem}-light.onnx")
        write_format(path, written, "int8")
        light.append(open_session(written, "cpu", 1))
    lighter = pair_decoder(tuple(light), eager.full, start)
    assert 0 < compared(module, read=lighter.read, step=lighter.step).error < 0.5


def test_a_pair_whose_cache_is_no_tensors_has_no_such_graphs(tmp_path: Path) -> None:
    from suite.generation.pair_graphs import export_pair

    module = built("translator")
    forward = module.forward

    class Hidden:
        def __init__(self, layers: Any) -> None:
            self.layers = layers

    def hidden(past_key_values: Any = None, **given: Any) -> Any:
        layers = past_key_values.layers if past_key_values else None
        found = forward(past_key_values=layers, **given)
        return replace(found, past_key_values=Hidden(found.past_key_values))

    module.forward = hidden
    with pytest.raises(Unsupported, match="mine: its cache cannot be taken apart into tensors"):
        export_pair(module, tmp_path / "x.onnx", "mine", 97)


# A cache of fixed size in PyTorch.


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral"])
def test_a_static_cache_decodes_the_same_tokens(kind: str) -> None:
    from transformers import StaticCache

    module = built(kind)
    config = module.config

    def make(samples: int) -> Any:
        return StaticCache(config=config, max_cache_len=ROOM)

    decoder = causal_decoder(module, "m", Buffers(capacity=ROOM, make=make))
    found = compared(module, read=decoder.read, step=decoder.step)
    assert found.is_right, found
    assert found.num_equal == 3 * NUM
    wrong = compared(module, read=lambda ids, mask=None: decoder.read(ids, None), step=decoder.step)
    assert not wrong.is_right


def test_a_compiled_step_is_compiled_once() -> None:
    from torch._dynamo.testing import CompileCounter
    from transformers import StaticCache

    module, counter = built("llama"), CompileCounter()
    config = module.config
    decoder = causal_decoder(
        module,
        "m",
        Buffers(
            capacity=ROOM,
            make=lambda samples: StaticCache(config=config, max_cache_len=ROOM),
            step=torch.compile(module.forward, backend=counter, dynamic=False),
        ),
    )
    found = compared(module, read=decoder.read, step=decoder.step, is_single=True)
    assert found.is_right, found
    assert counter.frame_count == 1


def test_a_model_of_another_library_has_no_such_graph(tmp_path: Any) -> None:
    from suite.generation.cached_graph import export_cached

    with pytest.raises(Unsupported, match="mine: a graph with a cache is made of causal models"):
        export_cached(torch.nn.Linear(2, 2), tmp_path / "x.onnx", "mine")


def test_a_decoded_token_reads_neither_the_encoder_nor_a_separate_input_embedding() -> None:
    tied, apart, pair = built("gpt2"), built("llama"), built("t5")
    whole = {m: sum(p.numel() * 4 for p in m.parameters()) for m in (tied, apart, pair)}
    buffers = {m: sum(b.numel() * b.element_size() for b in m.buffers()) for m in whole}
    assert bytes_read(tied) == whole[tied] + buffers[tied]
    assert bytes_read(apart) == whole[apart] + buffers[apart] - 97 * 32 * 4
    own = {id(p): p.numel() * 4 for p in pair.get_encoder().parameters()}
    shared = {id(p) for p in pair.get_decoder().parameters()}
    encoder = sum(size for key, size in own.items() if key not in shared)
    assert encoder > 0
    assert bytes_read(pair) == whole[pair] + buffers[pair] - encoder
    ours = built("translator")
    encoder = sum(p.numel() * 4 for p in ours.get_encoder().parameters())
    every = [*ours.parameters(), *ours.buffers()]
    assert bytes_read(ours) == sum(t.numel() * 4 for t in every) - encoder
    assert bytes_read(torch.nn.Linear(2, 2)) == 0


def test_a_copy_of_a_state_goes_its_own_way() -> None:
    decoder = causal_decoder(built("llama"), "m")
    ids = torch.ones((1, 5), dtype=torch.int64)
    _, state = decoder.read(ids, None)
    other = copied(state)
    first = decoder.step(ids[:, :1], other)
    assert (state.length, other.length) == (5, 6)
    assert num_bytes(other) > num_bytes(state)
    assert torch.equal(decoder.step(ids[:, :1], state), first)


def test_a_model_without_a_cache_says_so_in_one_sentence() -> None:
    class Plain(torch.nn.Module):
        def forward(self, input_ids: Any) -> Any:
            return input_ids

    with pytest.raises(
        Unsupported, match="mine has no cache: its forward takes no `past_key_values`"
    ):
        causal_decoder(Plain(), "mine")


def test_models_of_transformers_that_write_text_are_known_by_their_class() -> None:
    from suite.origins.transformers import is_generator

    place = "transformers.models.{}:{}"
    for module, name, expected in (
        ("t5.modeling_t5", "T5ForConditionalGeneration", True),
        ("mistral.modeling_mistral", "MistralForCausalLM", True),
        ("whisper.modeling_whisper", "WhisperForConditionalGeneration", False),
        ("bert.modeling_bert", "BertForMaskedLM", False),
    ):
        assert is_generator(place.format(module, name)) is expected, name
