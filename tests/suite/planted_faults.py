"""Planted faults: which of them parity finds, beside the rule that it had before, as a table in Markdown.

    python tests/suite/planted_faults.py [--models 'bert*,mlp'] [--faults '*'] [--graphs DIR] > table.md

Every fault of `graph_faults.FAULTS` is planted into the good graph of every model that has a place for it, and the
graph is compared as the export stage does. `before` is the rule until 2026-11-29: every element within 1e-4 + 1e-3 *
|eager| at the example, another input and a second extent of each axis. A fault that is not found is computed in float64
as well: whether it changes anything at all.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

MODELS: Final = (
    "mlp",
    "cnn",
    "lstm",
    "gru",
    "resnet18",
    "yolo",
    "unet",
    "fcn_resnet50",
    "dcgan",
    "bert",
    "bert_qa",
    "gpt2",
    "t5",
    "vit_b_16",
    "wav2vec2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One fault in one model's graph."""

    model: str
    fault: str
    where: str
    found: bool
    found_before: bool
    times: float
    """Largest error in errors of eager; infinite for a graph that no longer runs."""
    note: str = ""
    """Of a fault that was not found: what it changes in float64."""


class Subject:
    """A model with its good graph, ready to be compared with bad ones."""

    def __init__(self, name: str, folder: Path) -> None:
        import onnx
        import torch

        from suite.axes import TASKS
        from suite.catalog import spec_for
        from suite.data.sources import sources_in
        from suite.stages.export.comparison import Comparison
        from suite.stages.export.recipes import ExportRequest, recipes_for
        from suite.stages.export.reference import Reference
        from suite.tasks.task_of import batch_for
        from suite.tracing.dynamic_axes import BATCH, axis_names, flat_axes
        from suite.tracing.flat import names_of_outputs, num_results
        from suite.weights import module_for

        torch.set_num_threads(2)
        self.name, self.spec = name, spec_for(name, "")
        module = module_for(self.spec, "tiny", seed=0)
        source = sources_in(None)[TASKS[self.spec.task].input]

        @cache
        def draw(num_samples: int, which: int) -> Any:
            return batch_for(self.spec, "tiny", source, num_samples=num_samples, seed=which).inputs

        traced = draw(2 if BATCH in axis_names(self.spec) else 1, 0)
        self.reference = Reference(module, self.spec.outputs)
        num_tensors = len(self.reference.eager(traced))
        self.names = names_of_outputs(self.spec.outputs, num_tensors, num_results(traced))
        good = folder / f"{name}-tiny.onnx"
        if not good.exists():
            recipes_for(self.spec, module)[0].export(
                ExportRequest(
                    module=module,
                    inputs=traced,
                    output_names=self.names,
                    outputs=self.spec.outputs,
                    dynamic=flat_axes(self.spec, traced),
                    path=good,
                )
            )
        self.bytes = good.read_bytes()
        self.graph = folder / f"{name}-fault.onnx"
        self.comparison = Comparison(
            spec=self.spec,
            names=self.names,
            reference=self.reference,
            draw=draw,
            batch=1,
            graph=self.graph,
        )
        self.comparison.prepare()
        self.example = draw(1, 0)
        self.values = _intermediate(onnx.load_from_string(self.bytes), self.example)

    def good_rows(self) -> list[Any]:
        """The rows of the good graph."""
        self.graph.write_bytes(self.bytes)
        return self.comparison.rows(_session(self.graph), {})

    def plant(self, fault: str) -> Planted | None:
        """The fault and what was found; None where the graph has no place for it."""
        import onnx
        from graph_faults import FAULTS

        model = onnx.load_from_string(self.bytes)
        where = FAULTS[fault](model, self.values)
        if where is None:
            return None
        onnx.save(model, self.graph)
        try:
            session = _session(self.graph)
        except Exception as error:  # ONNX Runtime's errors have no common class
            return Planted(
                model=self.name,
                fault=fault,
                where=where,
                found=True,
                found_before=True,
                times=float("inf"),
                note=f"does not load: {type(error).__name__}",
            )
        rows = self.comparison.rows(session, {})
        bad = [row for row in rows if row.verdict == "failed"]
        return Planted(
            model=self.name,
            fault=fault,
            where=where,
            found=bool(bad),
            found_before=self.strays_by_the_rule_of_before(session),
            times=max(float("inf") if row.times_eager is None else row.times_eager for row in rows),
            note="" if bad else self.effect(),
        )

    def strays_by_the_rule_of_before(self, session: Any) -> bool:
        """Whether an element lies outside of 1e-4 + 1e-3 * |eager| on an input that was tried."""
        import numpy as np

        from suite.backends.onnxruntime import feeds_for

        for case in (case for case in self.comparison.cases if case.is_asked):
            try:
                actual = session.run(None, feeds_for(session, case.inputs))
            except Exception:
                return True
            for a, b in zip(self.reference.eager(case.inputs), actual, strict=True):
                if a.shape != b.shape or (np.abs(a - b) > 1e-4 + 1e-3 * np.abs(a)).any():
                    return True
        return False

    def effect(self) -> str:
        """What the fault changes at the example, computed in float64."""
        import numpy as np

        from suite.stages.export.exact_graph import exact_outputs

        feeds = self.comparison.arrays(self.comparison.cases[0])
        try:
            exact = exact_outputs(self.graph, feeds)
        except Exception as error:
            return f"not computed in float64: {type(error).__name__}"
        judge = self.reference.answers(self.example).judge
        worst = max(
            float(np.sqrt(np.mean((a - b) ** 2)) / np.sqrt(np.mean(a**2)))
            for a, b in zip(judge, exact, strict=True)
        )
        return f"in float64 it changes the outputs by {worst:.1e} of their scale"


def main() -> int:
    """Prints the table; exit code 1 when fewer than 95 of 100 were found or a good graph failed."""
    from graph_faults import FAULTS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--faults", default="*")
    parser.add_argument("--graphs", default="")
    options = parser.parse_args()
    found: list[Planted] = []
    with contextlib.ExitStack() as stack:
        folder = Path(options.graphs or stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        for name in options.models.split(","):
            subject = Subject(name, folder)
            good = subject.good_rows()
            assert all(row.verdict == "passed" for row in good), [row.reason for row in good]
            for fault in (f for f in FAULTS if fnmatch(f, options.faults)):
                if (planted := subject.plant(fault)) is not None:
                    found.append(planted)
                    print(planted, flush=True)
            subject.graph.unlink()
    print_table(found)
    return 0 if sum(row.found for row in found) >= 0.95 * len(found) else 1


def print_table(found: list[Planted]) -> None:
    """Counts, the table by fault, and every fault that was not found."""
    num = len(found)
    for title, count in (
        ("found", sum(row.found for row in found)),
        ("found by the rule of before", sum(row.found_before for row in found)),
    ):
        print(f"{title}: {count} of {num} ({count / num:.1%})  ")
    print(
        "\n| fault | models | found | before | smallest error that was found, in errors of eager |"
    )
    print("|---|--:|--:|--:|--:|")
    for fault in dict.fromkeys(row.fault for row in found):
        own = [row for row in found if row.fault == fault]
        least = min((row.times for row in own if row.found), default=float("nan"))
        counts = [len(own), sum(r.found for r in own), sum(r.found_before for r in own)]
        print(f"| {fault} | " + " | ".join(map(str, counts)) + f" | {least:.3g} |")
    print("\n| not found | model | where | errors of eager | |")
    print("|---|---|---|--:|---|")
    for row in (row for row in found if not row.found):
        print(f"| {row.fault} | `{row.model}` | {row.where} | {row.times:.3g} | {row.note} |")


def _session(graph: Path) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _intermediate(model: Any, inputs: Any) -> dict[str, Any]:
    """Every value of the graph on these inputs, by name."""
    import onnx
    import onnxruntime as ort

    from suite.backends.onnxruntime import feeds_for

    known = {value.name for value in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in known:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds_for(session, inputs)), strict=True))


if __name__ == "__main__":
    sys.exit(main())
