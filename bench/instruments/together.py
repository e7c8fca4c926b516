"""Worker side. Size, memory, latency and fidelity of one cell from one fresh process, with the cold start that it had.

The order keeps each number what it is in a process of its own: the memory's peak comes first, around the first pass;
then the warm rounds; what instruments the process (profiler, garbage collections between calls) comes after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bench.instruments import fidelity, latency, memory, size
from bench.instruments.phases import COLD_PHASES, Phases
from bench.plan import plan_of
from suite.axes import CPU
from suite.backends.runnable import Runnable, runnable_for
from suite.built_model import Subject
from suite.catalog import spec_for
from suite.engine.shared_process import SEPARATOR, PartsOptions
from suite.results.measuring import LatencyResult, MemoryResult
from suite.results.step_output import StepOutput, encode_output, widened
from suite.tasks.batch import Batch
from suite.worker.protocol import CellJob, Emit

SHARED: Final = (*COLD_PHASES, "input", "to_device", "compile")
"""Phases before the first warm pass: they belong to the process, not to a part."""


def run(job: CellJob, emit: Emit) -> dict[str, Any]:
    """Emit each part when it is done: its step, and its output as the step's own runner gives it. Returns nothing
    more. Options: `plan`, PartsOptions.

    Phases of one part are called `part/phase`.
    """
    plan, asked = plan_of(job.options), job.read(PartsOptions).parts
    device = job.cell.device
    phases = Phases(emit)
    subject = runnable_for(job, phases)

    def done(part: str, output: StepOutput[Any]) -> None:
        emit("part", name=part, output=encode_output(output))

    with subject.inference():
        peak = memory.measure_peak(subject, plan, Named(phases, "memory"))
        if "latency" in asked:
            named = Named(phases, "latency")
            named("phase", name="prepare")
            rounds = latency.measure(subject, plan, named, device=device, calls=peak.seconds)
            done(
                "latency",
                StepOutput(
                    measurements=(*rounds, *phases.measurements()),
                    result=widened(LatencyResult, subject.setup, plan=plan.name),
                    data=subject.data,
                ),
            )
        if "memory" in asked:
            named = Named(phases, "memory")
            found, absent = memory.measure_warm(subject, plan, named, peak.seconds, device=device)
            done(
                "memory",
                StepOutput(
                    measurements=(*peak.found, *found),
                    result=widened(
                        MemoryResult,
                        subject.setup,
                        plan=plan.name,
                        absent={**peak.absent, **absent},
                    ),
                    data=subject.data,
                ),
            )
        if "fidelity" in asked:
            done("fidelity", fidelity.measure(job, subject, Named(phases, "fidelity")))
    if "size" in asked:
        done("size", _size(job, subject, Named(phases, "size")))
    return {}


def _size(job: CellJob, subject: Runnable, emit: Emit) -> StepOutput[Any]:
    """Return the sizes of the module that was measured if it is still as it was built, else of a new one."""
    if job.cell.device != CPU or job.cell.dtype != "float32" or subject.module is None:
        return size.run(job, emit)
    batch = Batch(
        inputs=subject.inputs,
        num_samples=subject.setup.num_samples or 0,
        num_tokens=subject.setup.num_tokens,
        data=subject.data,
    )
    spec = spec_for(job.cell.model, job.options.models_from)
    return size.measure(job, Subject(spec=spec, batch=batch, module=subject.module), emit)


@dataclass(frozen=True, slots=True)
class Named:
    """An `Emit` that puts the part before the name of each phase that is not shared."""

    emit: Callable[..., None]
    part: str

    def __call__(self, kind: str, /, **data: Any) -> None:
        """Forward the event."""
        name = data.get("name", "")
        if kind == "phase" and name not in SHARED:
            data = {**data, "name": f"{self.part}{SEPARATOR}{name}"}
        self.emit(kind, **data)
