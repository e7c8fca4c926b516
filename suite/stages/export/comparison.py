"""Worker side. Comparison of a graph with its module on several inputs: the rows of a parity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from suite.flat_tensors import flatten_inputs
from suite.results.export import FAILED, PASSED, VACUOUS, ShapeParity
from suite.spec import ModelSpec
from suite.stages.export.detection_matching import aligned
from suite.stages.export.exact_graph import exact_outputs
from suite.stages.export.parity import VACUOUS_BELOW, Spread, broken, compare, spread_of
from suite.stages.export.recipes import Limits
from suite.stages.export.reference import Reference, as_array
from suite.stages.export.rounding_errors import UNMEASURED, Answers, typical_errors
from suite.stages.export.variants import (
    Draw,
    Variant,
    at_extents,
    extent_of,
    masked,
    variants,
)
from suite.tracing.dynamic_axes import BATCH, axis_names

MOST_OTHERS: Final = 4
"""Number of second batches tried until the answer differs from the example's: a classifier may give two texts of one
class the same answer, and parity on these would prove nothing.
"""

EXTENTS: Final = (1, 2, 5, 16)
"""Extents tried for every dynamic axis in addition to the record's: on both sides of most branches."""

CLEAR: Final = 0.5
"""Share of the allowed error within which eager stands for float64 on inputs beside the example: with eager's own
error, as known from the example, the graph's is then within the whole. Other inputs get a float64 pass.
"""

MOST_SECONDS: Final = 0.25
"""Maximum time of an eager pass in seconds for trying an extent that the record does not request."""

MOST_BEYOND: Final = 5.0
"""The same limit for an extent outside of the range for which the exported program is valid, and for an input on which
a graph that failed is computed in float64: both are rare and decisive.
"""

MOST_INEXACT: Final = 1e-3
"""Error, relative to an output's scale, that a runtime may have; with more, even a correct graph is useless."""


class Comparison:
    """Inputs, the module's outputs for them, and the rows for one graph after the other."""

    def __init__(
        self,
        *,
        spec: ModelSpec,
        names: Sequence[str],
        reference: Reference,
        draw: Draw,
        batch: int,
        graph: Path,
    ) -> None:
        self.spec = spec
        self.names = names
        self.reference = reference
        self.batch = batch
        self.graph = graph
        """Path of the graph that is passed to `rows`."""
        self.cases: list[Variant] = []
        self.typical: list[float] = []
        self._draw = draw
        self._other = 1
        self._seconds = 0.0
        self._spread = Spread(output="", tolerances=0.0)

    def prepare(self, cases: Sequence[Variant] = ()) -> None:
        """Choose the inputs, or take these; compute eager's outputs for all and float64's for the example."""
        example = self._draw(self.batch, 0)
        self.reference.eager(example)
        self._seconds = self.reference.warm_seconds(example)
        self.reference.judge([example])
        self._learn(example)
        for self._other in range(1, MOST_OTHERS + 1):
            self._spread = spread_of(
                self.reference.eager(example),
                self.reference.eager(self._draw(self.batch, self._other)),
                names=self.names,
                typical=self.typical,
                tolerance=self.spec.tolerance,
            )
            if self._spread.tolerances >= VACUOUS_BELOW:
                break
        asked = list(cases or variants(self.spec, self._drawn, self.batch))
        more = chain(masked(example), self._more_extents())
        self.cases = asked if cases else [*asked, *self._usable(more)]

    def rows(self, session: Any, limits: Limits) -> list[ShapeParity]:
        """Return one row per input; vacuous rows of extents that the record does not promise are left out."""
        # Kept for the graphs of other exporters, which do not report these limits but share them.
        self.cases.extend(self._usable(self._beyond(limits)))
        found = []
        for case in self.cases:
            row = self._row(case, session)
            if row.verdict == FAILED and case.axis in limits:
                row = replace(row, reason=f"{row.reason}; {_explained(case.axis, limits)}")
            if case.is_asked or row.verdict != VACUOUS:
                found.append(row)
        return found

    def _row(self, case: Variant, session: Any) -> ShapeParity:
        """Return one comparison; a graph that does not run on this input has failed it."""
        from suite.backends.onnxruntime import feeds_for

        try:
            actual = session.run(None, feeds_for(session, case.inputs))
        except Exception as error:  # ONNX Runtime's errors have no common class
            return broken(case.axis, case.extent, f"{type(error).__name__}: {error}")
        if not self.reference.is_judged(case.inputs):
            row = self._compared(case, self.reference.answers(case.inputs), actual, share=CLEAR)
            if row.verdict != FAILED:
                return row
            self.reference.judge([case.inputs])
        answers = self.reference.answers(case.inputs)
        row = self._compared(case, answers, actual)
        if row.verdict != PASSED and answers.judge is not answers.eager:
            # If rounding decides (box kept or not, class of two equal ones), eager is accepted too.
            as_eager = Answers(
                eager=answers.eager,
                judge=answers.eager,
                judged_by="eager: float64 decides otherwise",
            )
            second = self._compared(case, as_eager, actual)
            if second.verdict == PASSED:
                return second
        if row.verdict == FAILED and (row.graph_error or math.inf) <= MOST_INEXACT:
            return self._arbitrated(case, answers, row)
        return row

    def _arbitrated(self, case: Variant, answers: Answers, row: ShapeParity) -> ShapeParity:
        """Return the failed row, or a passed one if the graph is correct in float64 and the runtime inexact."""
        if self._seconds > MOST_BEYOND:
            return row
        try:
            outputs = exact_outputs(self.graph, self.arrays(case))
            exact = self._compared(case, answers, outputs)
        except Exception as error:
            print(f"the graph cannot be computed in float64: {type(error).__name__}: {error}")
            return row
        if exact.verdict != PASSED:
            return row
        return replace(
            row,
            verdict=PASSED,
            reason=f"the graph is right: computed in float64 it is {exact.times_eager:.2g} times as far off as eager"
            f" float32; ONNX Runtime's own kernels are {row.times_eager:.3g} times as far off",
        )

    def arrays(self, case: Variant) -> dict[str, Any]:
        """Return the inputs of the case as NumPy arrays by flat name."""
        return {name: as_array(tensor) for name, tensor in flatten_inputs(case.inputs).items()}

    def _compared(
        self, case: Variant, answers: Answers, actual: Sequence[Any], *, share: float = 1.0
    ) -> ShapeParity:
        """Return the row; `share` of the allowed error passes."""
        tolerance = self.spec.tolerance
        if len(actual) == len(answers.eager):
            order: dict[str, Any] = {"names": self.names, "tolerance": tolerance}
            if answers.agree_in_kind and answers.judge is not answers.eager:
                eager = aligned(answers.judge, answers.eager, **order)
                answers = replace(answers, eager=eager)
            first = answers.judge if answers.agree_in_kind else answers.eager
            actual = aligned(first, actual, **order)
        return compare(
            case.axis,
            case.extent,
            answers,
            actual,
            self._spread,
            names=self.names,
            typical=self.typical,
            tolerance=replace(tolerance, multiple=share * tolerance.multiple),
        )

    def _learn(self, example: Mapping[str, Any]) -> None:
        """Set eager's typical error from the example; a large one if it could not be measured."""
        answers = self.reference.answers(example)
        self.typical = typical_errors([answers])
        if answers.judge is answers.eager:
            self.typical = [max(error, UNMEASURED) for error in self.typical]

    def _drawn(self, num_samples: int, which: int) -> Mapping[str, Any]:
        return self._draw(num_samples, self._other if which else 0)

    def _more_extents(self) -> Iterator[Variant]:
        for name in axis_names(self.spec):
            yield from self._at(name, EXTENTS, MOST_SECONDS)

    def _beyond(self, limits: Limits) -> Iterator[Variant]:
        """Yield extents just outside of the range for which the exported program is valid."""
        known = {(case.axis, case.extent) for case in self.cases}
        for name, (low, high) in limits.items():
            extents = [low - 1, *([] if high is None else [high + 1])]
            yield from (
                case
                for case in self._at(name, extents, MOST_BEYOND)
                if (name, case.extent) not in known
            )

    def _at(self, name: str, extents: Sequence[int], seconds: float) -> Iterator[Variant]:
        own = self.batch if name == BATCH else extent_of(self.spec, self._draw(self.batch, 0), name)
        quick = [e for e in extents if self._seconds * max(1.0, e / own) <= seconds]
        yield from at_extents(self.spec, self._drawn, self.batch, name, quick)

    def _usable(self, cases: Iterator[Variant]) -> Iterator[Variant]:
        """Yield the cases on which the module runs: models do not accept every length."""
        for case in cases:
            try:
                self.reference.eager(case.inputs)
            except Exception as error:
                print(f"{case.axis} = {case.extent} left out: {type(error).__name__}: {error}")
            else:
                yield case


def _explained(name: str, limits: Limits) -> str:
    """Return the range for which the exported program is valid, in words."""
    low, high = limits[name]
    if low == high:
        return f"the exported program holds for {name} = {low} alone"
    span = f"from {low} on" if high is None else f"up to {high}"
    return f"forward branches on the extent of {name}: the exported program holds {span}"
