"""Tiny modules with one planted reason to be slow under torch.compile, and healthy ones.

`python tests/bench/slow_modules.py [NAME ...]` compiles each for three passes over one input and watches as the step
`compilation` does, reads the causes off the report of such a record, and prints the planted one beside those that are
named. The compiler's front end finds all of them, so that Inductor is left out and one run takes some ten seconds.
"""

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

HEALTHY = ""
BREAK = "graph break: "
FALL_BACK = "fall-back to eager"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A module whose truth is known."""

    module: nn.Module
    cause: str
    """Name of the planted cause; HEALTHY for none."""
    shape: tuple[int, ...] = (4, 8)
    """Shape of its input."""


class Planted(nn.Module):
    """Two layers, and something between them: `between(module, x) -> x`."""

    def __init__(self, between, **held):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.between = between
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.second(self.between(self, self.first(x)))


def branch(self, x):
    if x.abs().sum() > 0:
        x = x + 1
    return x


def until_small(self, x):
    while x.norm() > 1:
        x = x / 2
    return x


def scaled_by_item(self, x):
    return x / x.abs().max().item()


def repeated(self, x):
    self.num += 1
    return x.repeat(int(self.num), 1).mean(0)


def listed(self, x):
    return x * sum(x[0].tolist())


def masked(self, x):
    return x[x.sum(1) < 1e9]


def printed(self, x):
    print("shape", x.shape)
    return x + 1


def logged(self, x):
    logging.getLogger("net").info("at %s", x.shape)
    return x + 1


def warned(self, x):
    warnings.warn("deprecated", stacklevel=1)
    return x + 1


def timed(self, x):
    self.at = time.time()
    return x + 1


@torch.compiler.disable
def disabled(self, x):
    return x + 1


def broken(self, x):
    x = x + 1
    torch._dynamo.graph_break()
    return x * 2


def opened(self, x):
    with open(os.devnull, "rb") as file:
        return x + len(file.read())


def growing(self, x):
    self.seen = x if self.seen is None else torch.cat([self.seen, x])
    return self.seen.mean(0)


def counting(self, x):
    self.num += 1
    return x * self.num


def collecting(self, x):
    self.kept.append(x)
    return torch.stack(self.kept).mean(0)


def printed_in_a_loop(self, x):
    for n in range(3):
        x = x + n
        print(n)
    return x


@contextmanager
def span():
    yield


class Span(nn.Module):
    """A module that prints inside of a `with`."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x):
        y = self.inner(x)
        with span():
            print("inside")
            y = y.relu()
        return y + 1


class Whole(nn.Module):
    """A module that the compiler leaves alone."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    @torch.compiler.disable
    def forward(self, x):
        return self.inner(x)


class Block(nn.Module):
    """A layer that prints its name, and is compiled by itself because of that."""

    def __init__(self, name):
        super().__init__()
        self.inner, self.name = nn.Linear(8, 8), name

    def forward(self, x):
        print(self.name)
        return self.inner(x) * len(self.name)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x):
        return (x + self.inner(x)).flatten(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.out(functional.scaled_dot_product_attention(q, k, v))


def by_shape(self, x):
    return x[:2] if x.shape[0] > 2 else x


def by_attribute(self, x):
    return x.relu() if self.has_relu else x


def fixed_loop(self, x):
    for n in range(4):
        x = x * (n + 1)
    return x


def without_branch(self, x):
    return torch.where(x.sum() > 0, x + 1, x)


def watched_unless_compiled(self, x):
    if not torch.compiler.is_compiling():
        print("shape", x.shape)
    return x + 1


def ring(self, x):
    self.buffer.copy_(torch.cat([self.buffer[4:], x]))
    return self.buffer.mean(0)


def of(between, **held):
    return Planted(between, **held)


CASES = {
    "if on a sum": Case(module=of(branch), cause=f"{BREAK}data-dependent branch"),
    "while on a norm": Case(module=of(until_small), cause=f"{BREAK}data-dependent branch"),
    ".item()": Case(module=of(scaled_by_item), cause=f"{BREAK}value read out of a tensor"),
    "int() of a counter": Case(
        module=of(repeated, num=torch.tensor(0)), cause=f"{BREAK}value read out of a tensor"
    ),
    ".tolist()": Case(module=of(listed), cause=f"{BREAK}value read out of a tensor"),
    "mask as an index": Case(module=of(masked), cause=f"{BREAK}shape that depends on data"),
    "print": Case(module=of(printed), cause=f"{BREAK}Python side effect"),
    "log": Case(module=of(logged), cause=f"{BREAK}Python side effect"),
    "warning": Case(module=of(warned), cause=f"{BREAK}Python side effect"),
    "clock": Case(module=of(timed), cause=f"{BREAK}Python side effect"),
    "file opened in a with": Case(module=of(opened), cause=FALL_BACK),
    "disabled function": Case(module=of(disabled), cause=f"{BREAK}function kept from the compiler"),
    "asked for": Case(module=of(broken), cause="graph break"),
    "cache that grows": Case(module=of(growing, seen=None), cause="dynamic shapes"),
    "counter": Case(module=of(counting, num=0), cause="recompilation: Python state"),
    "list that grows": Case(module=of(collecting, kept=[]), cause="recompilation: Python state"),
    "print in a loop": Case(module=of(printed_in_a_loop), cause=FALL_BACK),
    "print in a with": Case(module=Span(), cause=FALL_BACK),
    "disabled module": Case(module=Whole(), cause=FALL_BACK),
    "twelve layers that print": Case(
        module=nn.Sequential(*(Block("n" * (n + 1)) for n in range(12))), cause=FALL_BACK
    ),
    "fully connected": Case(
        module=nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16)), cause=HEALTHY
    ),
    "residual": Case(module=Residual(), cause=HEALTHY, shape=(2, 4, 8, 8)),
    "attention": Case(module=Attention(), cause=HEALTHY, shape=(2, 4, 8)),
    "transformer layer": Case(
        module=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        cause=HEALTHY,
        shape=(2, 4, 8),
    ),
    "dropout": Case(module=nn.Sequential(nn.Linear(8, 8), nn.Dropout()), cause=HEALTHY),
    "by shape": Case(module=of(by_shape), cause=HEALTHY),
    "by attribute": Case(module=of(by_attribute, has_relu=True), cause=HEALTHY),
    "fixed loop": Case(module=of(fixed_loop), cause=HEALTHY),
    "without branch": Case(module=of(without_branch), cause=HEALTHY),
    "print unless compiled": Case(module=of(watched_unless_compiled), cause=HEALTHY),
    "ring buffer": Case(module=of(ring, buffer=nn.Buffer(torch.zeros(16, 8))), cause=HEALTHY),
}


def result_of(case):
    """What the step `compilation` finds in the module, with the front end of torch.compile alone."""
    import torch._dynamo as dynamo

    from bench.instruments.compilation import watched

    dynamo.reset()
    torch.manual_seed(0)
    x = torch.randn(case.shape)
    program = torch.compile(case.module.eval(), backend="eager")
    with (
        torch.inference_mode(),
        warnings.catch_warnings(action="ignore"),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        return watched(lambda: program(x))[1]


def causes_in(result):
    """The causes that a report of this result names."""
    from test_report_lanes import cell_of, latency, record

    from bench.summary.build import build_report
    from bench.summary.lane_causes import causes_of_lane
    from suite.runs.load import load_run

    lane = cell_of("compiled")
    with tempfile.TemporaryDirectory() as folder:
        from life_runs import write_folder

        records = [latency(cell_of("eager")), latency(lane), record(lane, "compilation", result)]
        planned = [{"cell": one.cell.as_dict(), "step": one.step} for one in records]
        write_folder(Path(folder, "20261201-000000-aaaa"), records, planned)
        (row,) = build_report(load_run(Path(folder, "20261201-000000-aaaa"))).rows
    return causes_of_lane(row, row.lane("compiled"))


def main(asked):
    lost, answers = 0, {}
    for name in asked or CASES:
        case = CASES[name]
        causes = causes_in(result_of(case))
        named = [finding.cause for finding in causes]
        answers[name] = case.cause, named
        first = named[0] if causes else HEALTHY
        is_right = first == case.cause
        lost += not is_right
        print(
            f"{'right' if is_right else 'WRONG':6} {name:26} {case.cause or 'healthy':46}", end=""
        )
        print("; ".join(named), flush=True)
        for finding in causes[: 1 if is_right else None]:
            print(f"       {finding.sentence}", flush=True)
    print(json.dumps(answers))
    return lost


if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[2]), str(here.parent)]
    sys.exit(min(1, main(sys.argv[1:])))
