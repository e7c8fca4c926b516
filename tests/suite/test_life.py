"""The cells of a model's life: what is made from what, in which order, and what exists for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.steps import STEPS, steps_of
from suite.axes import LEARNED, LIFE, VARIANTS
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.engine.steps import graph_cell, maker_cell, needs
from suite.expand import expand_life, stages_of, train_on_of, variants_of
from suite.lifecycle import Finetuning, Quantization, Training
from suite.spec import ModelSpec, Size

PLAIN = Size()
RICH = Size(
    training=Training(parallel=("ddp",)),
    finetuning=Finetuning(lora=("query",)),
    quantization=Quantization(pt2e=True),
)


def spec(size, name="net"):
    return ModelSpec(
        name=name,
        family="x",
        task="image_classification",
        build=dict,
        sizes={"tiny": size},
        outputs=("y",),
    )


def life(size=PLAIN, stages=LIFE, devices=("cpu",), **more):
    return expand_life(
        [spec(size)],
        sizes=("tiny",),
        devices=devices,
        dtypes=("float32",),
        batches=(1,),
        stages=stages,
        **more,
    )


def steps(cells):
    return [(cell.variant, step) for cell in cells for step in steps_of(cell) if step in LIFE]


def test_a_plain_model_goes_through_every_stage():
    found = steps(life())
    assert ("original", "build") in found
    for expected in (
        ("trained", "train"),
        ("full", "finetune"),
        ("partial", "finetune"),
        ("layerwise", "finetune"),
        ("pruned", "prune"),
        ("int8", "quantize"),
        ("pruned_int8", "quantize"),
        ("trained", "export"),
        ("pruned", "export"),
        ("int8", "export"),
    ):
        assert found.count(expected) == 1


def test_adapters_second_recipes_and_parallel_trainings_are_for_the_models_that_have_them():
    some = {"lora", "pt2e", "ddp"}
    assert not some & {variant for variant, _ in steps(life())}
    assert some <= {variant for variant, _ in steps(life(RICH))}


def test_eight_bit_graphs_are_made_on_the_cpu_and_torchao_on_the_gpu():
    made = {(cell.variant, cell.device) for cell in life(RICH, devices=("cpu", "cuda"))}
    assert ("int8", "cpu") in made
    assert ("int8", "cuda") not in made
    assert ("bf16", "cuda") in made
    assert ("bf16", "cpu") not in made


def test_weights_are_made_on_one_device_for_the_cells_of_all():
    cells = life(RICH, devices=("cpu", "cuda"), train_on="cuda")
    made = {
        (VARIANTS[c.variant].stage, c.device)
        for c in cells
        if c.backend == VARIANTS[c.variant].backend and c.variant != "original"
    }
    assert {device for stage, device in made if stage in LEARNED} == {"cuda"}
    assert {("quantize", "cpu"), ("quantize", "cuda")} <= made
    exported = {c.device for c in cells if c.variant == "trained" and c.backend == "onnxruntime"}
    assert exported == {"cpu", "cuda"}


def test_an_eight_bit_graph_for_the_cpu_starts_from_the_weights_of_the_gpu():
    trained = Cell(model="net", size="tiny", variant="trained")
    int8 = maker_cell(trained, "int8")
    assert needs(int8, "quantize", "cuda") == (
        (replace(trained, device="cuda"), "train"),
        (graph_cell(trained), "export"),
    )


def test_weights_are_trained_on_one_device_that_is_there():
    assert train_on_of("", num_gpus=0) == ""
    assert train_on_of("cuda:1", num_gpus=2) == "cuda:1"
    with pytest.raises(CatalogError, match="--train-on cuda: this machine has no usable"):
        train_on_of("cuda", num_gpus=0)
    for text in ("auto", "cpu,cuda", "gpu"):
        with pytest.raises(CatalogError, match="expected one device"):
            train_on_of(text, num_gpus=1)


def test_every_step_comes_after_what_it_needs():
    cells = life(RICH)
    place = {}
    order = sorted(
        (
            (cells.index(cell), [*STEPS].index(step), cell, step)
            for cell in cells
            for step in steps_of(cell)
            if step in LIFE
        ),
        key=lambda row: row[:2],
    )
    for number, (_, _, cell, step) in enumerate(order):
        place[cell.id, step] = number
    for _, _, cell, step in order:
        for before, earlier in needs(cell, step):
            assert place[before.id, earlier] < place[cell.id, step], (cell.id, step)


def test_a_state_is_made_from_its_parent_and_a_quantized_graph_from_a_graph():
    pruned = Cell(model="net", size="tiny", variant="pruned")
    trained = maker_cell(pruned, "trained")
    assert needs(pruned, "prune") == ((trained, "train"),)
    int8 = maker_cell(pruned, "pruned_int8")
    assert needs(int8, "quantize") == (
        (pruned, "prune"),
        (replace(graph_cell(pruned)), "export"),
    )
    assert needs(graph_cell(pruned), "latency") == ((pruned, "prune"),)
    original = Cell(model="net", size="tiny")
    assert needs(original, "latency") == ()


def test_every_variant_is_made_by_a_stage_from_one_that_exists():
    for variant in VARIANTS.values():
        assert variant.parent in VARIANTS or variant.name == "original"
        assert (variant.stage in LIFE) == (variant.name != "original")


def test_only_the_stages_that_were_asked_for_have_cells():
    assert {step for _, step in steps(life(stages=("train",))) if step != "export"} == {"train"}


def test_an_unknown_stage_or_variant_is_answered_with_did_you_mean():
    with pytest.raises(CatalogError, match="did you mean quantize"):
        stages_of("quantise", num_processes=1)
    with pytest.raises(CatalogError, match="--variant int: unknown; did you mean int8"):
        variants_of("int")


def test_the_parallel_stage_needs_processes():
    assert "parallel" not in stages_of("all", num_processes=1)
    assert "parallel" in stages_of("all", num_processes=2)
    with pytest.raises(CatalogError, match="--nproc"):
        stages_of("parallel", num_processes=1)
