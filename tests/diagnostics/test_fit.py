"""`fit`: whether a model fits a card, from shapes alone; sizes against built models: test_fit_measured.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diagnostics.cli import main
from diagnostics.fit import cards
from diagnostics.fit.answer import Verdict, answer
from diagnostics.fit.cards import Card, UnknownCard, named
from diagnostics.fit.cli import ask
from diagnostics.fit.memory import GIB, Use, cache, largest_context, parts, total
from diagnostics.fit.shape import Interval
from diagnostics.fit.source import Unreadable, from_config, read

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


def save(tmp_path: Path, **changes: Any) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA | changes))
    return str(path)


def test_the_published_count_of_llama_3_1_8b_comes_out() -> None:
    assert from_config(LLAMA, "x").parameters == Interval.exact(8_030_261_248)


def test_its_cache_takes_128_kib_per_token() -> None:
    transformer = from_config(LLAMA, "x").transformer
    assert transformer is not None
    assert cache(transformer, Use(context=1)).low == 131072
    assert cache(transformer, Use(context=8, batch=2, cache_dtype="float8")).low == 131072 * 8


@pytest.mark.parametrize(
    "gpu, options, verdict",
    [
        ("24", {}, Verdict.FITS),
        ("RTX 4090", {}, Verdict.FITS),
        ("8 GB", {}, Verdict.TOO_LARGE),
        ("7", {"dtype": "int4"}, Verdict.OPEN),
        ("16", {}, Verdict.OPEN),
        ("A100-80GB", {"training": True}, Verdict.TOO_LARGE),
        ("H200", {"training": True, "trainable": 0.01}, Verdict.FITS),
        ("24", {"context": 131072}, Verdict.TOO_LARGE),
    ],
)
def test_a_verdict_is_given_where_both_bounds_agree(
    gpu: str, options: dict[str, Any], verdict: Verdict, tmp_path: Path
) -> None:
    (found,) = ask(save(tmp_path), gpu=gpu, **options)
    assert found.verdict is verdict


def test_the_ways_that_are_named_do_fit(tmp_path: Path) -> None:
    (found,) = ask(save(tmp_path), gpu="24", context=131072)
    context = next(way for way in found.ways if way.startswith("--context"))
    longest = int(context.split()[1])
    room = 24 * GIB
    use = Use(context=longest)
    assert total(parts(found.model, use)).high <= room
    assert total(parts(found.model, Use(context=longest + 1))).high > room
    assert largest_context(found.model, Use(), 1 * GIB) == 0


def test_a_lower_bound_never_says_that_it_fits() -> None:
    model = read("7B")
    assert (model.parameters.low, model.parameters.high) == (6.5e9, 7.5e9)
    assert (
        answer(model, Use(), Card(name="x", memory=Interval.exact(200 * GIB))).verdict
        is Verdict.OPEN
    )
    assert (
        answer(model, Use(), Card(name="x", memory=Interval.exact(8 * GIB))).verdict
        is Verdict.TOO_LARGE
    )


def test_a_family_without_a_formula_gets_bounds_around_its_count() -> None:
    # DeepSeek-V3: 671 B parameters (its model card); its cache is compressed, or expanded by transformers.
    model = from_config(
        {
            "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
            "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128,
            "num_key_value_heads": 128, "n_routed_experts": 256, "num_experts_per_tok": 8, "kv_lora_rank": 512,
            "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
            "vocab_size": 129280,
        },
        "x",
    )  # fmt: skip
    assert model.parameters.low < 671e9 < model.parameters.high < 2 * model.parameters.low
    assert model.transformer is not None
    size = cache(model.transformer, Use(context=1))
    assert size.low == 61 * (512 + 64) * 2
    assert size.high > 50 * size.low


def test_the_vision_part_of_a_config_is_named_and_not_counted() -> None:
    model = from_config(
        {"model_type": "x", "text_config": LLAMA, "vision_config": {"hidden_size": 1152}}, "x"
    )
    assert model.parameters.low == 8_030_261_248
    assert model.parameters.high == float("inf")
    assert "the vision part is not counted" in model.notes[0]


def test_sliding_layers_keep_their_window() -> None:
    window = {**LLAMA, "model_type": "gemma2", "sliding_window": 4096}
    transformer = from_config(window, "x").transformer
    assert transformer is not None
    assert transformer.windows.count(4096) == transformer.windows.count(None) == 16
    whole = cache(transformer, Use(context=4096)).low
    assert cache(transformer, Use(context=8192)).low == whole * 1.5


@pytest.mark.parametrize(
    "text, size",
    [
        ("RTX 4090", 24),
        ("4090", 24),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 16),
        ("NVIDIA A100-SXM4-80GB", 80),
        ("Tesla T4", 16),
        ("NVIDIA H100 80GB HBM3", 80),
        ("NVIDIA H200 NVL", 141),
    ],
)
def test_a_card_is_known_by_its_names(text: str, size: float) -> None:
    found = named(text)
    assert found.memory.high == size * GIB
    assert found.memory.low == pytest.approx(0.93 * size * GIB)


def test_a_number_is_meant_as_it_is_and_an_unknown_name_gets_the_nearest() -> None:
    assert named("24").memory == named("24 GB").memory == Interval.exact(24 * GIB)
    with pytest.raises(UnknownCard, match="near are rtx 4090"):
        named("RTX 4091")


def test_without_a_card_nothing_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("diagnostics.fit.cli.found", tuple)
    assert main(["fit", save(tmp_path)]) == 4
    assert "name one: --gpu NAME" in capsys.readouterr().out
    card = cards.Card(name="NVIDIA L4", memory=Interval.exact(23034 << 20), free=float(2 << 30))
    monkeypatch.setattr("diagnostics.fit.cli.found", lambda: (card,))
    assert main(["fit", save(tmp_path)]) == 0
    assert "of it 2 GiB are free now" in capsys.readouterr().out


def test_the_json_has_bounds_formulas_and_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", save(tmp_path), "--gpu", "8", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["exit_code"]) == (1, 1)
    assert [part["name"] for part in data["parts"]] == [
        "weights", "key-value cache", "activations", "runtime"
    ]  # fmt: skip
    assert all(part["formula"] for part in data["parts"])
    assert data["needed_bytes"]["low"] == sum(part["bytes"]["low"] for part in data["parts"])
    assert data["cards"][0]["verdict"] == "does not fit"
    assert main(["fit", "7B", "--gpu", "100", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["needed_bytes"]["high"] is None


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["nothing.bin"], "expected a config.json"),
        (["missing/config.json"], "cannot read"),
        (["7B", "--gpu", "RTX 1"], "no such card"),
        (["7B", "--batch", "0"], "at least 1"),
        (["7B", "--trainable", "2"], "expected a share"),
        (["7B", "--dtype", "mixed", "--gpu", "8"], "goes with --training"),
        (["7B", "--dtype", "int4", "--training"], "cannot be trained itself"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *arguments]) == 2
    text = capsys.readouterr().err
    assert said in text
    assert text.count("\n") == 1


def test_a_config_of_something_else_is_refused_with_the_field(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no hidden_size"):
        read(save(tmp_path, hidden_size=None))
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(Unreadable, match="expected a JSON object"):
        read(str(tmp_path / "config.json"))
    (tmp_path / "m.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(Unreadable, match="header is damaged"):
        read(str(tmp_path / "m.safetensors"))
