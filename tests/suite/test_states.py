"""The state store: found again, checked, bounded, never half-written, and never mistaken for another."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from suite.cell import Cell
from suite.lifecycle import Training
from suite.spec import ModelSpec, Size
from suite.states import entries
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

KEY = "0123456789abcdef0123456789abcdef"


def write(folder):
    (folder / "weights.safetensors").write_bytes(b"weights")
    return {"facts": {"metric": 1.0}}


def test_an_entry_is_found_again_with_its_files_and_result(tmp_path):
    entries.keep(tmp_path, "net-tiny-trained", KEY, write)
    found = entries.find(tmp_path, "net-tiny-trained", KEY)
    assert found.file("weights.safetensors").read_bytes() == b"weights"
    assert found.content == {"facts": {"metric": 1.0}}


def test_another_key_is_another_entry(tmp_path):
    entries.keep(tmp_path, "net", KEY, write)
    assert entries.find(tmp_path, "net", KEY[::-1]) is None
    # The folder's name holds the beginning of the key alone; the manifest holds it whole.
    assert entries.find(tmp_path, "net", KEY[:24] + "ffffffff") is None


@pytest.mark.parametrize("damage", [b"WEIGHTS", b"weights and more", None])
def test_a_damaged_entry_is_not_found_and_is_gone(tmp_path, damage, capsys):
    entry = entries.keep(tmp_path, "net", KEY, write)
    file = entry.file("weights.safetensors")
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    assert entries.find(tmp_path, "net", KEY) is None
    assert not entry.folder.exists() or damage is None
    if damage is not None:
        assert "damaged" in capsys.readouterr().out


def test_a_stage_that_fails_leaves_nothing_behind(tmp_path):
    def fails(folder):
        write(folder)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        entries.keep(tmp_path, "net", KEY, fails)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_manifest_is_no_entry(tmp_path):
    entry = entries.keep(tmp_path, "net", KEY, write)
    manifest = entry.file(entries.MANIFEST)
    manifest.write_text(manifest.read_text()[:-20])
    assert entries.find(tmp_path, "net", KEY) is None


def test_the_store_keeps_what_was_used_last(tmp_path):
    for number, name in enumerate("abc"):
        entry = entries.keep(tmp_path, name, name * 32, write)
        os.utime(entry.file(entries.MANIFEST), (number, number))
    size = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert len(entries.prune(tmp_path, size - 1)) == 1
    assert entries.find(tmp_path, "a", "a" * 32) is None
    assert entries.find(tmp_path, "c", "c" * 32) is not None


SPEC = ModelSpec(
    name="net",
    family="x",
    task="image_classification",
    build=dict,
    sizes={"tiny": Size()},
    outputs=("y",),
)


def job(variant="trained", **options):
    sources = {
        kind: {"kind": kind, "name": name, "root": ""}
        for kind, name in {
            "image": "digits",
            "scene": "scenes",
            "clip": "clips",
            "text": "prose",
            "speech": "speech",
        }.items()
    }
    return CellJob(
        runner="",
        cell=Cell(model="net", size="tiny", variant=variant),
        options=JobOptions.from_dict({"sources": sources, **options}),
    )


def key(of=SPEC, variant="trained", cell=None, **options):
    from suite.states.store import state_key

    asked = job(variant, **options)
    return state_key(replace(asked, cell=cell or asked.cell), of, variant)


def test_a_state_depends_on_what_it_is_made_from():
    before = key()
    assert before == key()
    longer = replace(SPEC, sizes={"tiny": Size(training=Training(steps=7))})
    others = [
        key(longer),
        key(seed=1),
        key(weights="pretrained"),
        key(cell=Cell(model="net", size="tiny", device="cuda", variant="trained")),
        key(cell=Cell(model="net", size="tiny", dtype="bfloat16", variant="trained")),
        key(variant="pruned"),
    ]
    assert len({before, *others}) == len(others) + 1
    assert key(variant="pruned") != key(longer, variant="pruned"), "a state hangs on its parent"


def test_weights_of_one_device_are_the_same_state_for_the_cells_of_all():
    gpu = Cell(model="net", size="tiny", device="cuda", variant="trained")
    for variant in ("trained", "pruned"):
        assert key(variant=variant, train_on="cuda") == key(variant=variant, cell=gpu)
    assert key(variant="int8", train_on="cuda") not in (
        key(variant="int8"),
        key(variant="int8", cell=gpu),
    ), "a graph is of its device, whoever trained the weights"


def test_the_batch_that_is_measured_later_makes_no_other_state():
    assert key() == key(cell=Cell(model="net", size="tiny", batch=8, variant="trained"))


def test_a_missing_state_says_how_to_make_it(tmp_path):
    from suite.states.store import StateMissing, state_of

    with pytest.raises(StateMissing, match="pytest suite -k train --models net --size tiny"):
        state_of(job("pruned", states_dir=str(tmp_path)), SPEC, "trained")


def test_a_state_whose_claims_did_not_hold_is_kept_but_not_built_upon(tmp_path):
    from suite.states import store

    claim = {"name": "it learns", "holds": False, "evidence": "it did not"}
    asked = job("trained", states_dir=str(tmp_path))
    folder, stem = store.store_of(asked), store.stem_of(asked)
    entries.keep(
        folder,
        stem,
        store.state_key(asked, SPEC, "trained"),
        lambda f: {"result": {"claims": [claim]}},
    )
    with pytest.raises(store.StateMissing, match=r"it learns \(it did not\)"):
        store.state_of(replace(asked, cell=replace(asked.cell, variant="pruned")), SPEC, "trained")


FILE = """
from layers import WIDTH
from suite.spec import ModelSpec, Size

def build():
    return WIDTH

MODELS = (ModelSpec(name="net", task="image_classification", build=build, outputs=("y",),
                    sizes={"tiny": Size()}),)
"""


def test_a_state_that_is_made_again_tells_what_changed_and_a_neighbour_that_is_not_imported_does_not(
    tmp_path,
):
    from suite.results.step_output import StepOutput
    from suite.results.train import TrainResult
    from suite.states import store

    own, states = tmp_path / "models.py", tmp_path / "states"
    own.write_text(FILE)
    for name in ("layers", "neighbour"):
        (tmp_path / f"{name}.py").write_text("WIDTH = 1\n")

    def state(**options):
        asked = job("trained", states_dir=str(states), models_from=str(own), **options)
        made = store.made(
            asked,
            lambda kind, **data: None,
            lambda *_: StepOutput(result=TrainResult()),
            TrainResult,
        )
        return made.result.state

    assert (state().reused, state().reused) == (False, True)
    assert state().changed == ()
    (tmp_path / "neighbour.py").write_text("WIDTH = 2\n")
    assert state().reused
    (tmp_path / "layers.py").write_text("WIDTH = 2\n")
    again = state()
    assert (again.reused, again.changed) == (False, ("layers.py",))
    assert state(seed=1).changed == ("seed",)
    own.write_text(FILE.replace("return WIDTH", "return 2 * WIDTH"))
    assert state(seed=1).changed == ("the models file",)
