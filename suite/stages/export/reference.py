"""Worker side. Outputs of a module for the inputs of a comparison: in its own precision and in float64."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from suite.axes import EAGER
from suite.flat_tensors import flatten_outputs
from suite.stages.export.exact import exact_answers
from suite.stages.export.rounding_errors import Answers


class Reference:
    """Outputs of a module, each computed once. Inputs are identified by object identity and kept alive here."""

    def __init__(self, module: nn.Module, outputs: Sequence[str]) -> None:
        self.module = module
        self.outputs = outputs
        """Output names of the record, which order a dictionary that the module returns."""
        self.judge_seconds = 0.0
        """Seconds of the last float64 pass, including the copy of the module."""
        self._inputs: list[Mapping[str, Any]] = []
        self._eager: dict[int, list[Any]] = {}
        self._judge: dict[int, tuple[list[Any], str]] = {}

    def flatten(self, result: Any) -> list[Tensor]:
        """Return the module's output tensors in the record's order."""
        return flatten_outputs(result, self.outputs)

    def know(self, inputs: Mapping[str, Any], outputs: Sequence[Tensor]) -> None:
        """Store eager's outputs that were computed elsewhere."""
        self._inputs.append(inputs)
        self._eager[id(inputs)] = [as_array(tensor) for tensor in outputs]

    def eager(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Return eager's outputs as NumPy arrays."""
        if id(inputs) not in self._eager:
            with torch.no_grad():
                self.know(inputs, self.flatten(self.module(**inputs)))
        return self._eager[id(inputs)]

    def warm_seconds(self, inputs: Mapping[str, Any]) -> float:
        """Return the seconds of an eager pass on inputs of a shape seen before: the first one prepares kernels."""
        begin = time.perf_counter()
        with torch.no_grad():
            self.module(**inputs)
        return time.perf_counter() - begin

    def judge(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Run the module in float64 on those inputs that have no reference yet.

        If that fails, eager is the reference and its error is unknown.
        """
        missing = [inputs for inputs in batches if id(inputs) not in self._judge]
        if not missing:
            return
        begin = time.perf_counter()
        try:
            found = exact_answers(self.module, missing, self.flatten)
        except Exception as error:
            print(f"no float64 run: {type(error).__name__}: {error}")
            for inputs in missing:
                why = f"eager (float64 raises {type(error).__name__})"
                self._judge[id(inputs)] = (self.eager(inputs), why)
        else:
            for inputs, (outputs, how) in zip(missing, found, strict=True):
                self._judge[id(inputs)] = ([as_array(tensor) for tensor in outputs], how)
        self._inputs.extend(missing)
        self.judge_seconds = (time.perf_counter() - begin) / len(missing)

    def is_judged(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether `answers` has a float64 run, or a reason why there is none."""
        return id(inputs) in self._judge

    def answers(self, inputs: Mapping[str, Any]) -> Answers:
        """Return eager's outputs and the reference's; eager's twice if no reference was computed."""
        eager = self.eager(inputs)
        judge, how = self._judge.get(id(inputs), (eager, EAGER))
        return Answers(eager=eager, judge=judge, judged_by=how)


def as_array(tensor: Tensor) -> Any:
    """Return the tensor as a NumPy array; bfloat16, which NumPy lacks, as float32, and complex numbers as pairs."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
