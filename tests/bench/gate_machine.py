"""Both arms of a gate on workers that run nothing."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import bench.gate.control_models as controls
from bench.gate.budget import BlockLength, Budget
from bench.gate.run import GateConfig, run_gate
from bench.gate.selftest import run_selftest
from bench.gate.thresholds import Thresholds
from suite import spec_codec
from suite.catalog import builtin_specs
from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.record import Failure
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker

OLDER = {"facts:run": "static_facts:run", "records:run": "model_specs:run"}
BLOCK = BlockLength(num_turns=8, seconds=1.0, warmup_seconds=0.1)
BUDGET = Budget(block=BLOCK, more_seconds=60.0)
SPECS = {spec.name: spec for spec in builtin_specs()}


def failed(message, kind="RuntimeError", outcome=Outcome.FAILED):
    return Answer(outcome=outcome, failure=Failure(kind=kind, message=message))


def passed(**facts):
    measurements = facts.pop("measurements", ())
    result = {"facts": facts, "measurements": list(measurements)}
    return Answer(outcome=Outcome.PASSED, result=result)


@dataclass
class Machine:
    """Both arms: what head does differently, and every job that was run."""

    slower: float = 1.0
    """Time of head over base's, for every model."""
    control: float = 1.0
    parameters: float = 1000.0
    parity: str = "passed"
    peak: float = 1e6
    """Peak RSS of head; base has 1 MB."""
    head_fails: str = ""
    base_fails: str = ""
    records: dict = field(default_factory=dict)
    """Arm -> answer of its catalogue, where it is not the usual one."""
    jobs: list = field(default_factory=list)
    workers: list = field(default_factory=list)

    def start(self, **launch):
        arm = Path(launch["log"]).parents[1].name
        rng = random.Random(arm)
        worker = FakeWorker(answer=lambda job: self.answer(arm, job, rng))
        self.workers.append((arm, launch, worker))
        return worker

    def answer(self, arm, job, rng):
        name = job.runner.rpartition(".")[2]
        self.jobs.append((arm, name, job))
        name = OLDER.get(name, name)
        is_head = arm == "head"
        if name == "model_specs:run":
            return self.records.get(arm) or self.catalogue(job)
        if (message := self.head_fails if is_head else self.base_fails) and name != "run:run":
            return failed(message)
        if name == "run:run":  # the export
            Path(job.options.output).parent.mkdir(parents=True, exist_ok=True)
            return passed(parity={"verdict": "passed"})
        if name == "static_facts:run":
            values = {
                "parameters": ("1", self.parameters if is_head else 1000.0),
                "peak_rss_delta": ("B", self.peak if is_head else 1e6),
            }
            return passed(
                measurements=[
                    {"metric": m, "unit": unit, "samples": [v]} for m, (unit, v) in values.items()
                ]
            )
        if name == "agreement:run":
            said = {"verdict": self.parity, "reason": "outputs differ", "max_abs": 1.0}
            return passed(pairs={pair["key"]: said for pair in job.options.extra["pairs"]})
        if name == "profile:run":
            return passed(operators={"aten::mm": [2.0 if is_head else 1.0, 1.0]})
        factor = self.control if name == "turns:run_control" else self.slower_of(job)
        times = [(factor if is_head else 1.0) * (1 + rng.gauss(0, 0.004)) for _ in range(8)]
        turns = {"seconds": times, "sentinels": [3e-5] * 8, "reasons": [[]] * 8}
        return passed(turns=turns)

    def slower_of(self, job):
        _, plus, more = job.cell.model.partition("-plus-")
        return 1 + int(more) / 100 if plus else self.slower

    def catalogue(self, job):
        known = {name: SPECS.get(name) for name in job.options.extra["models"]}
        return passed(
            specs={
                name: spec_codec.to_dict(spec) if spec else None for name, spec in known.items()
            },
            versions={"torch": "2"},
        )


def run_on(machine, out, **fields):
    """Return the gate over `mlp`, eager, on that machine; `fields` are those of the request."""
    selection = resolve(
        Asked(models=["mlp"], size="tiny", backend=fields.pop("backend", "eager")),
        num_gpus=0,
        num_cores=1,
    )
    request = GateConfig(
        **{
            "selection": selection,
            "thresholds": Thresholds(),
            "started_in": out,
            "out": out,
            "plan": "quick",
            **fields,
        }
    )
    gate, folder = run_gate(request, start=machine.start, budget=BUDGET)
    assert all(worker.is_closed for _, _, worker in machine.workers)
    assert folder.is_dir()
    return gate


def self_tested(machine, out, **fields):
    """Return the self-test on that machine."""
    specs = {spec.name: spec for spec in controls.MODELS}

    def records(job):
        return passed(
            specs={n: spec_codec.to_dict(specs[n]) for n in job.options.extra["models"]},
            versions={},
        )

    machine.catalogue = records
    return run_selftest(
        out=out,
        plan="quick",
        threads=1,
        deadline=9.0,
        fingerprint="f1",
        start=machine.start,
        budget=BUDGET,
        select=in_process_selection,
        **fields,
    )


def in_process_selection(threads):
    selection = resolve(
        Asked(models=["mlp"], size="tiny", backend="eager"), num_gpus=0, num_cores=1
    )
    options = replace(selection.job_options, models_from=controls.__file__)
    return replace(selection, specs={s.name: s for s in controls.MODELS}, job_options=options)


class Controls(Machine):
    """Reports the memory controls as they are."""

    def answer(self, arm, job, rng):
        if job.runner.endswith("static_facts:run"):
            model = job.cell.model
            values = {
                "peak_rss_delta": 2e8 if model == "greedy" else 0.0,
                "peak_tensor_bytes": 2e8 if model == "greedy" else 0.0,
                "parameters": {"narrow": 17_000.0, "wide": 17_510.0}.get(model, 1.0),
            }
            rows = [{"metric": m, "unit": "B", "samples": [v]} for m, v in values.items()]
            leak = 1e6 if model == "leaky" else 0.0
            rows.append(
                {"metric": "live_bytes", "unit": "B", "samples": [leak * i for i in range(20)]}
            )
            return passed(measurements=rows)
        return super().answer(arm, job, rng)
