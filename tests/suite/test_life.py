"""The cells of a model's life: what is made from what, in which order, and what exists for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.steps import STEPS, graph_cell, maker_cell, needs, steps_of
from suite.axes import LIFE, VARIANTS
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.expand import expand_life, stages_of, variants_of
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


def life(size=PLAIN, stages=LIFE, devices=("cpu",)):
    return expand_life(
        [spec(size)],
        sizes=("tiny",),
        devices=devices,
        dtypes=("float32",),
        batches=(1,),
        stages=stages,
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


def test_adapters_second_lanes_and_parallel_trainings_are_for_the_models_that_have_them():
    some = {"lora", "pt2e", "ddp"}
    assert not some & {variant for variant, _ in steps(life())}
    assert some <= {variant for variant, _ in steps(life(RICH))}


def test_eight_bit_graphs_are_made_on_the_cpu_and_torchao_on_the_gpu():
    made = {(cell.variant, cell.device) for cell in life(RICH, devices=("cpu", "cuda"))}
    assert ("int8", "cpu") in made
    assert ("int8", "cuda") not in made
    assert ("bf16", "cuda") in made
    assert ("bf16", "cpu") not in made


def test_every_step_comes_after_what_it_needs():
    cells = life(RICH)
    place = {}
    order = sorted(
        (
            (cells.index(cell), STEPS.index(step), cell, step)
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
