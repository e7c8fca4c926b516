"""Worker side. Reasons why a module cannot be exported: one sentence for the cause and one for the cure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Terminal escape sequences, which PyTorch puts into its messages."""

HARMLESS: Final = 64 * 2.0**-24
"""Difference of two eager calls, relative to an output's scale, allowed for kernels without a fixed order of
summation.
"""


class ExportError(RuntimeError):
    """Error raised if no recipe made a usable graph; the message has cause, cure and every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Cause of a failed export, and its cure."""

    cause: str
    cure: str
    is_known: bool = True
    """Whether the exporter's message was recognized, not only repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Exporter message and its meaning."""

    pattern: re.Pattern[str]
    cause: str
    """Text of the cause; may refer to groups of the pattern."""
    cure: str


KNOWN: Final = tuple(
    _Known(pattern=re.compile(pattern, re.DOTALL), cause=cause, cure=cure)
    for pattern, cause, cure in (
        (
            r"(?i)complex-valued input|complex(64|128|float|double| (dtype|tensor|type|number)s?)",
            "the module computes with complex numbers, which ONNX does not have",
            "keep real and imaginary parts as two real parameters and write the products out",
        ),
        (
            r"No ONNX function found for <OpOverload\(op='(?P<space>[\w]+)\.(?P<name>\w+)'",
            "the operator {space}::{name} has no translation to ONNX",
            'give one in the record: Export(translations={{"{space}::{name}": function}}), the function written with'
            " onnxscript's operators",
        ),
        (
            r"unrecognized namespace (?P<space>\w+)::(?P<name>\w+)",
            "the operator {space}::{name} has no translation to ONNX",
            'give one in the record: Export(translations={{"{space}::{name}": function}}), the function written with'
            " onnxscript's operators",
        ),
        (
            r"Exporting the operator '(?P<name>[\w:]+)' to ONNX opset version \d+ is not supported",
            "the operator {name} has no translation to ONNX in this exporter",
            'write it with other operators, or give a translation: Export(translations={{"{name}": function}})',
        ),
        (
            r"(Could not guard on data-dependent expression|DataDependentOutputException"
            r"|Dynamic control flow is not supported|data-dependent branching)"
            r"(.*?File \"(?P<file>[^\"]+)\", line (?P<line>\d+), in \w+\n[ \t]+(?P<code>\S[^\n]*))?",
            "forward branches on the value of a tensor{place}",
            "choose with torch.where or torch.cond in place of Python's `if`, or keep the choice out of forward",
        ),
        (
            r"Could not extract specialized integer from data-dependent expression"
            r"(.*?File \"(?P<file>[^\"]+)\", line (?P<line>\d+), in \w+\n[ \t]+(?P<code>\S[^\n]*))?",
            "a shape or a number in forward depends on the value of a tensor{place}",
            "keep the shape fixed, with a mask in place of a selection, or tell its bounds with torch._check",
        ),
        (
            r"Constraints violated|inferred to be a constant|was specialized",
            "an axis that the record declares as dynamic is fixed by the module's code",
            "compute with x.shape in forward in place of numbers, or take the axis out of Export.dynamic",
        ),
    )
)
"""Messages of torch.export and torch.onnx (2.11 to 2.15), the most specific first."""


def reason_of(error: BaseException, module: nn.Module) -> Reason:
    """Return cause and cure of an exporter's error, from the texts of the whole chain of exceptions."""
    texts = [plain(str(link)) for link in _chain(error)]
    whole = "\n".join(texts)
    for row in KNOWN:
        if found := row.pattern.search(whole):
            groups = {key: value or "" for key, value in found.groupdict().items()}
            groups["place"] = _place(groups)
            return Reason(cause=row.cause.format(**groups), cure=row.cure.format(**groups))
    names = [name for name, p in module.named_parameters() if p.is_complex()]
    if names:
        return Reason(
            cause=f"the module has complex parameters ({', '.join(names[:3])}), which ONNX does not have",
            cure="keep real and imaginary parts as two real parameters and write the products out",
        )
    if type(error).__name__ == "FrozenValueError":
        return Reason(cause=texts[0], cure="choose with torch.where or torch.cond in its place")
    last = list(_chain(error))[-1]
    return Reason(
        cause=f"{type(last).__name__}: {one_line(plain(str(last)))}",
        cure="the whole tracebacks are in the log; fix the module's forward, or declare a Gap(stage='export', ...)"
        " with its reason",
        is_known=False,
    )


def _place(groups: Mapping[str, str]) -> str:
    """Return ` (net.py:12: `if x.mean() > 0:`)` if the message holds file and line, else an empty string."""
    if not groups.get("file"):
        return ""
    code = f": `{groups['code']}`" if groups["code"] else ""
    return f" ({Path(groups['file']).name}:{groups['line']}{code})"


def plain(text: str) -> str:
    """Return the text without terminal colours."""
    return COLOURS.sub("", text)


def one_line(text: str, limit: int = 400) -> str:
    """Return an exporter's message as one line, cut to the limit: its cause, without the appended report."""
    joined = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return joined if len(joined) <= limit else f"{joined[: limit - 1]}…"


def summary_line(error: BaseException) -> str:
    """Return the message of the innermost exception of the chain, without the exporter's advice."""
    chain = list(_chain(error))
    telling = next((link for link in reversed(chain) if str(link).strip()), error)
    return one_line(f"{type(telling).__name__}: {plain(str(telling))}")


def refuse_unsteady(
    module: nn.Module,
    inputs: Mapping[str, Any],
    flatten: Callable[[Any], list[Tensor]],
) -> tuple[list[Tensor], float]:
    """Return the module's outputs for these inputs, and the seconds of a second call; raise ExportError if that answers
    differently.

    A graph is a function of its inputs. The message names the buffers and attributes that a call changes, or reports
    that random numbers are drawn.
    """
    before = _state_of(module)
    with torch.no_grad():
        first = [t.clone() for t in flatten(module(**inputs))]
        changed = _changed(before, _state_of(module))
        begin = time.perf_counter()
        second = flatten(module(**inputs))
        seconds = time.perf_counter() - begin
        if _alike(first, second):
            return first, seconds
        torch.manual_seed(0)
        third = [t.clone() for t in flatten(module(**inputs))]
        torch.manual_seed(0)
        is_random = not changed and _alike(third, flatten(module(**inputs)))
    if changed:
        cause = f"forward changes {_listed(changed)}"
        cure = "change them only while `self.training`, or make them inputs and outputs of forward"
    elif is_random:
        cause = "forward draws random numbers in evaluation mode"
        cure = "pass `training=self.training` to dropout, or take the noise as an input"
    else:
        cause = "forward keeps something between calls"
        cure = "make its answer depend on its inputs alone"
    raise ExportError(
        f"two eager calls on the same input differ: {cause}. Cure: {cure}. No graph can agree with both"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _state_of(module: nn.Module) -> dict[str, Any]:
    """Return buffers, and plain attributes that are numbers or tensors, by name; tensors are copied."""
    state: dict[str, Any] = {f"buffer {n}": value.clone() for n, value in module.named_buffers()}
    internal = vars(nn.Module())
    for prefix, part in module.named_modules():
        for name, value in vars(part).items():
            if name not in internal and isinstance(value, (int, float, complex, Tensor)):
                own = f"attribute {prefix}.{name}" if prefix else f"attribute {name}"
                state[own] = value.clone() if isinstance(value, Tensor) else value
    return state


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    def same(a: Any, b: Any) -> bool:
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
        return type(a) is type(b) and bool(a == b)

    return [name for name in after if name not in before or not same(before[name], after[name])]


def _listed(names: Sequence[str]) -> str:
    """Return a list in words: the buffers `level`, `calls` and the attribute `steps`."""
    parts = []
    for kind in ("buffer", "attribute"):
        own = [name.partition(" ")[2] for name in names if name.startswith(kind)]
        if own:
            plural = "s" if len(own) > 1 else ""
            parts.append(f"the {kind}{plural} " + ", ".join(f"`{name}`" for name in own[:6]))
    return " and ".join(parts)


def _alike(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if a.shape != b.shape:
            return False
        if torch.equal(a, b) or not a.numel():
            continue
        if not (a.is_floating_point() or a.is_complex()):
            return False
        a, b = torch.nan_to_num(a), torch.nan_to_num(b)
        scale = float(a.abs().double().square().mean().sqrt())
        if float((a - b).abs().max()) > HARMLESS * max(scale, 1e-30):
            return False
    return True
