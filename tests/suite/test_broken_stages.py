"""A stage that is broken on purpose fails the claim that is about it: no claim holds whatever happens.

Each test does the real stage on a small real model and spoils one thing in it; a test of the unspoilt stages shows that
it is the spoiling that fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from suite.catalog import spec_for
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.spec import ModelSpec
from suite.stages import finetune, prune, train
from suite.stages.export import pt2
from suite.stages.export import run as export
from suite.stages.parallel import run as parallel
from suite.stages.parallel.rank_result import RankResult
from suite.stages.quantize import graphs
from suite.stages.quantize import run as quantize
from suite.states import store
from suite.training import checkpoint, sanity_checks
from suite.training.optimizers import OPTIMIZERS
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Job

RUN = {"trained": train.run, "pruned": prune.run, "int8": quantize.run}


def changed(name: str, **parts: dict[str, Any]) -> ModelSpec:
    """The catalogue's model, tiny, some fields of some settings replaced: `changed("mlp", training={"steps": 9})`."""
    spec = spec_for(name, "")
    tiny = spec.sizes["tiny"]
    settings = {part: replace(getattr(tiny, part), **fields) for part, fields in parts.items()}
    return replace(spec, sizes={**spec.sizes, "tiny": replace(tiny, **settings)})


SHORT_GPT2 = partial(
    changed,
    "gpt2",
    training={"steps": 20, "overfit_steps": 20, "margin": -1e6, "overfit_to": 2.0},
    finetuning={"steps": 4, "margin": -1e9},
)


def done(spec: ModelSpec, variant: str, states: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The result of the stage of that variant, its states in `states` and the graphs beside them."""
    monkeypatch.setattr(store, "spec_of", lambda job: spec)
    job = job_of(spec, variant, states, parent_graph=str(graph_of(spec, states)))
    return RUN.get(variant, finetune.run)(job, silent)


def job_of(spec: ModelSpec, variant: str, states: Path, **options: Any) -> Job:
    sources = {kind: source.as_dict() for kind, source in sources_in(None).items()}
    return CellJob(
        runner="",
        cell=Cell(model=spec.name, size="tiny", variant=variant),
        options=JobOptions.from_dict({"sources": sources, "states_dir": str(states), **options}),
    )


def graph_of(spec: ModelSpec, states: Path) -> Path:
    return states.parent / f"{states.name}-{spec.name}.onnx"


def silent(kind: str, /, **data: Any) -> None:
    """An emit that nobody listens to."""


def exported(spec: ModelSpec, states: Path) -> None:
    """The graph of the trained state, where its quantization looks for it."""
    output = graph_of(spec, states)
    options = {"run_dir": str(output.parent), "output": str(output), "cache_dir": "", "threads": 1}
    export.run(job_of(spec, "trained", states, **options), silent)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two honestly trained models, for stages that start from one."""
    states = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for spec in (spec_for("mlp", ""), SHORT_GPT2()):
            result = done(spec, "trained", states, monkeypatch)
            assert all(claim.holds for claim in result.result.claims)
    return states


@pytest.fixture
def claims(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bool]]:
    """`claims(spec, variant)`: does the stage of that variant and returns which of its claims hold."""
    states = Path(shutil.copytree(trained, tmp_path / "states"))

    def run(spec: ModelSpec, variant: str) -> dict[str, bool]:
        result = done(spec, variant, states, monkeypatch)
        return {claim.name: claim.holds for claim in result.result.claims}

    return run


def lost(holds: dict[str, bool]) -> set[str]:
    return {name for name, value in holds.items() if not value}


def test_unspoilt_every_claim_of_a_life_holds(claims) -> None:
    spec = spec_for("mlp", "")
    for variant in ("full", "partial", "layerwise", "pruned"):
        holds = claims(spec, variant)
        assert len(holds) > 2
        assert not lost(holds), variant
    assert not lost(claims(SHORT_GPT2(), "lora"))


def test_a_training_that_climbs_fails_what_is_claimed_of_learning(claims, monkeypatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "climb", partial(torch.optim.SGD, maximize=True))
    spec = changed("mlp", training={"optimizer": "climb", "learning_rate": 0.02, "steps": 40})
    assert lost(claims(spec, "trained")) == {
        "a single batch can be overfitted",
        "the loss falls",
        "better than untrained and than the trivial baseline",
    }


def test_a_model_that_answers_by_chance_is_not_the_same_twice(claims) -> None:
    spec = changed("mlp", training={"steps": 30})
    chance = torch.Generator()

    def build(**settings: Any) -> Any:
        module = spec.build(**settings)
        forward = module.forward
        chance.seed()
        module.forward = lambda x: forward(x + 0.1 * torch.randn(x.shape, generator=chance))
        return module

    missed = lost(claims(replace(spec, build=build), "trained"))
    assert "two runs with one seed agree" in missed


def test_a_resumed_run_that_forgets_its_optimizer_is_found_out(claims, monkeypatch) -> None:
    load = checkpoint.load

    def forgetful(train_state: Any, folder: Path) -> Any:
        history = load(train_state, folder)
        for optimizer in train_state.optimizers:
            optimizer.state.clear()
        return history

    monkeypatch.setattr(sanity_checks.checkpoint, "load", forgetful)
    assert lost(claims(changed("mlp", training={"steps": 30, "margin": -99.0}), "trained")) == {
        "a run resumed from its checkpoint goes on exactly"
    }


def test_a_weight_that_is_no_number_is_found(claims, monkeypatch) -> None:
    trained = train.train_watched

    def spoil(setup: Any, train_state: Any, folder: Path) -> Any:
        history = trained(setup, train_state, folder)
        with torch.no_grad():
            next(train_state.module.parameters()).view(-1)[0] = float("inf")
        return history

    monkeypatch.setattr(train, "train_watched", spoil)
    assert "all weights are finite" in lost(
        claims(changed("mlp", training={"steps": 30, "margin": -99.0}), "trained")
    )


def test_fine_tuning_that_does_nothing_is_no_better_than_from_scratch(claims) -> None:
    spec = changed("mlp", finetuning={"learning_rate": 0.0, "rates": {}, "steps": 150})
    assert not lost(claims(spec, "trained"))
    assert lost(claims(spec, "full")) == {
        "better than from scratch after the same number of steps",
        "what was to learn has changed",
    }


def test_a_backbone_that_moves_after_all_is_found_out(claims, monkeypatch) -> None:
    fit = finetune.fit

    def moves(train_state: Any, *args: Any, **kwargs: Any) -> Any:
        history = fit(train_state, *args, **kwargs)
        with torch.no_grad():
            next(train_state.module.parameters()).add_(1e-3)
        return history

    spec = spec_for("mlp", "")
    monkeypatch.setattr(finetune, "fit", moves)
    assert "the backbone is bit-identical" in lost(claims(spec, "partial"))


def test_layers_that_learn_before_their_turn_are_found_out(claims, monkeypatch) -> None:
    fit = finetune.fit

    def early(train_state: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():  # the bottom group is the last to be unfrozen
            next(train_state.module.parameters()).add_(1e-3)
        return fit(train_state, *args, **kwargs)

    spec = spec_for("mlp", "")
    monkeypatch.setattr(finetune, "fit", early)
    assert "layers are unfrozen from the top, those below untouched until then" in lost(
        claims(spec, "layerwise")
    )


def test_adapters_that_are_merged_wrongly_are_found_out(claims, monkeypatch) -> None:
    from peft import LoraModel

    merge = LoraModel.merge_and_unload

    def wrongly(self: Any, *args: Any, **kwargs: Any) -> Any:
        module = merge(self, *args, **kwargs)
        with torch.no_grad():
            max(module.parameters(), key=torch.numel).mul_(1.01)
        return module

    spec = SHORT_GPT2()
    monkeypatch.setattr(LoraModel, "merge_and_unload", wrongly)
    assert lost(claims(spec, "lora")) == {"merged output equals unmerged output"}


def test_weights_under_adapters_that_move_are_found_out(claims, monkeypatch) -> None:
    fit = finetune.fit

    def moves(train_state: Any, *args: Any, **kwargs: Any) -> Any:
        history = fit(train_state, *args, **kwargs)
        frozen = [p for p in train_state.module.parameters() if not p.requires_grad]
        if frozen:  # the twin that starts from scratch has none
            frozen[0].data.add_(1e-3)
        return history

    spec = SHORT_GPT2()
    monkeypatch.setattr(finetune, "fit", moves)
    assert lost(claims(spec, "lora")) == {"the weights under the adapters are bit-identical"}


def test_pruning_that_does_not_recover_drops_too_much(claims) -> None:
    spec = changed(
        "mlp", pruning={"ratio": 0.9, "recovery_steps": 1, "learning_rate": 0.0, "max_drop": 8.0}
    )
    assert not lost(claims(spec, "trained"))
    assert lost(claims(spec, "pruned")) == {
        "the metric drops within the record's tolerance after recovery"
    }


def test_masks_that_mask_nothing_are_found_out(claims, monkeypatch) -> None:
    spec = spec_for("mlp", "")
    honest = prune.mask_module

    def nothing(module: Any, *args: Any) -> Any:
        return replace(honest(module, *args), sparsity=0.0)

    monkeypatch.setattr(prune, "mask_module", nothing)
    assert lost(claims(spec, "pruned")) == {
        "masks alone change neither the number of weights nor their bytes"
    }


def test_a_program_of_another_module_does_not_answer_like_this_one(monkeypatch) -> None:
    spec = spec_for("mlp", "")
    module, other = (spec.build(**spec.sizes["tiny"].build).eval() for _ in range(2))
    inputs = {"x": torch.rand(2, 1, 28, 28)}
    assert pt2.archive_claim(spec, module, inputs, [inputs]).holds
    program = pt2.program_of
    monkeypatch.setattr(pt2, "program_of", lambda s, m, t: program(s, other, t))
    assert not pt2.archive_claim(spec, module, inputs, [inputs]).holds


def test_a_graph_that_has_not_shrunk_is_not_smaller(tmp_path: Path) -> None:
    for name, num_bytes in (("before", 100), ("same", 100), ("less", 99)):
        (tmp_path / f"{name}.onnx").write_bytes(bytes(num_bytes))
    before = tmp_path / "before.onnx"
    assert pt2.smaller_claim(before, tmp_path / "less.onnx", "trained").holds
    assert not pt2.smaller_claim(before, tmp_path / "same.onnx", "trained").holds


def test_8_bits_whose_ranges_come_from_other_data_lose_too_much(
    claims, trained, tmp_path, monkeypatch
) -> None:
    spec, tolerance = spec_for("mlp", ""), "the metric drops within the record's tolerance"
    exported(spec, tmp_path / "states")
    assert not lost(claims(spec, "int8"))
    shutil.rmtree(tmp_path / "states")
    shutil.copytree(trained, tmp_path / "states")
    read = graphs.calibration

    def faint(*given: Any) -> Any:
        for feeds in read(*given):
            yield {name: array * 1e-3 for name, array in feeds.items()}

    monkeypatch.setattr(graphs, "calibration", faint)
    result = done(spec, "int8", tmp_path / "states", monkeypatch)
    missed = {c.name for c in result.result.claims if not c.holds}
    assert tolerance in missed


RANK = RankResult(
    losses=(2.0, 1.9, 1.8),
    seconds=(0.1, 0.1, 0.1),
    num_samples=8,
    pid=1,
    digest="aa",
    num_local_weights=10,
    num_weights=10,
    backend="gloo",
)


@pytest.mark.parametrize(
    ("variant", "change", "missed"),
    [
        ("ddp", {}, set()),
        ("ddp", {"losses": (2.0, 1.9, 1.7)}, {"the same loss curve as one process"}),
        ("ddp", {"pid": 2, "num_samples": 0}, {"every process took part"}),
        ("ddp", {"digest": "bb"}, {"all processes end with the same weights"}),
        ("fsdp", {"num_local_weights": 10}, {"each process holds a part of the weights"}),
    ],
)
def test_processes_that_do_not_work_together_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, change: Any, missed: set[str]
) -> None:
    ranks = [replace(RANK, **change), replace(RANK, **{"pid": 2, **change})]
    if "digest" in change:
        ranks[1] = replace(RANK, pid=2)
    monkeypatch.setattr(parallel, "one_process", lambda *_: ([2.0, 1.9, 1.8], [0.1] * 3))
    monkeypatch.setattr(parallel, "processes", lambda *_: ranks)
    job = SimpleNamespace(
        cell=SimpleNamespace(device="cpu", variant=variant), options=JobOptions(nproc=2)
    )
    result = parallel.train_parallel(job, spec_for("mlp", ""), tmp_path, lambda *_, **__: None)
    found = {c.name for c in result.result.claims if not c.holds}
    assert found == (missed if change.get("pid") is None else missed | {"every process took part"})
