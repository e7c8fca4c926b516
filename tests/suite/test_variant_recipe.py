"""The recipe of docs/contributing.md for a quantized variant, followed in a copy of the project: a recipe and a row."""

from __future__ import annotations

import pytest
from recipe_copy import answers, copy_project, python

ROW = """        Variant(
            name="toy_half",
            title="toy half",
            stage=QUANTIZE,
            parent=TRAINED,
            route="suite.stages.quantize.toy:quantize_toy",
            devices=(CPU,),
            is_measured=True,
            is_summarized=True,
            meaning="trained, its weights rounded to halves",
        ),
"""
RECIPE = '''"""Worker side. Recipe `toy_half`: weights rounded to float16 and back."""

import copy
from functools import partial

from suite.axes import TRAINED
from suite.claims import Claim
from suite.results.quantize import QuantizationReport
from suite.stages.quantize.quantized_pair import QuantizedPair
from suite.states import store
from suite.training.quality import module_forward


def quantize_toy(job, spec, setup, folder, emit):
    """The module with its weights in float32, and rounded."""
    module = store.module_of(job, spec, TRAINED)
    rounded = copy.deepcopy(module)
    for weight in rounded.parameters():
        weight.data = weight.data.half().float()
    store.save(rounded, folder)
    inputs = setup.test()[0].inputs
    return QuantizedPair(
        reference=module_forward(module),
        quantized=module_forward(rounded),
        calls={"float": partial(module, **inputs), "quantized": partial(rounded, **inputs)},
        claims=[Claim(name="weights are rounded", holds=True, evidence="float16")],
        report=QuantizationReport(),
    )
'''
PROBE = """
import random
from life_runs import LIVES, life_records, write_folder
from bench.run_outputs import write_outputs

cells = expand_life(SPEC, **PLACE)
row = LIVES[0]
records = life_records(row, bad={})
(made,) = [r for r in records if (r.step, r.cell.variant) == ("quantize", "int8")]
records.append(replace(made, cell=replace(made.cell, variant="toy_half", backend="eager")))
folder = Path("out", "20261124-000000-toy")
write_folder(folder, records, [{"cell": r.cell.as_dict(), "step": r.step} for r in records])
write_outputs(folder, "out/history.db")
print(json.dumps({
    "help": help_of("variant"),
    "variants": variants_of("toy_half"),
    "cells": [cell.id for cell in cells],
    "parsed": all(Cell.parse(cell.id) == cell for cell in cells),
    "report": (folder / "report.html").read_text().count("toy half"),
    "pages": pages(),
}))
"""
ID = "mlp-tiny-eager-cpu-float32-b1-toy_half"
OPTIONS = ("--models", "mlp", "--size", "tiny", "--device", "cpu", "-k", "toy_half")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The copy with the variant `toy_half`."""
    last = '    )\n}\n"""'
    return copy_project(
        tmp_path_factory.mktemp("tree"),
        added={"suite/stages/quantize/toy.py": RECIPE},
        rows={"suite/axes/variants.py": (last, ROW)},
    )


@pytest.fixture(scope="module")
def seen(tree):
    """What the copy says of the variant."""
    return answers(tree, PROBE)


def test_a_new_variant_is_offered(seen):
    names = "original, trained, pruned, int8, pruned_int8, built_pruned, built_int8, toy_half"
    assert seen["help"] == f"bench: state of the models: {names} (default: original)"
    assert seen["variants"] == ["toy_half"]


def test_a_new_variant_has_one_cell_where_it_is_made(seen):
    assert [cell for cell in seen["cells"] if "toy_half" in cell] == [ID]
    assert seen["parsed"]


def test_a_new_variant_has_its_title_in_the_report(seen):
    assert seen["report"] >= 1


def test_a_new_variant_is_in_the_tables_of_the_docs(seen):
    assert "| `toy_half` | trained, its weights rounded to halves | " in seen["pages"]
    assert "trained  --quantize--> int8, pt2e, bf16, torchao, toy_half\n" in seen["pages"]
    assert "`built_int8`, `toy_half`; made first where it is not there |" in seen["pages"]


def test_pytest_collects_the_cell_of_a_new_variant(tree):
    out = python(tree, "-m", "pytest", "suite", *OPTIONS, "--collect-only", "-q")
    assert f"test_quantize[{ID}]" in out


@pytest.mark.heavy
@pytest.mark.slow
def test_a_new_variant_is_made_and_judged(tree):
    assert "1 passed" in python(tree, "-m", "pytest", "suite", *OPTIONS)
