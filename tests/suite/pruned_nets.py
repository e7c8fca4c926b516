"""Nets of other people, pruned and proved, or refused with the reason.

    python tests/suite/pruned_nets.py [--only NAME,NAME] [--markdown docs/results/DATE-pruning.md]

Every net gets weights of its own for each element, is pruned by the product, and is judged by `zeroed_copy.py`, which
knows nothing of the product's own proof. One core, a few minutes.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from library_nets import NETS, Net
from small_nets import SMALL
from zeroed_copy import let_signals_through, make_distinct, prove

from suite.lifecycle import Pruning
from suite.pruning.engine import prune_module
from suite.pruning.errors import OutputsChanged, PruningError
from suite.pruning.unguided import prune_unguided
from suite.spec import ModelSpec, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One net of the table."""

    net: Net
    verdict: str
    """right, wrong, blind, refused, or error."""
    method: str = ""
    parameters: str = ""
    macs: str = ""
    difference: str = ""
    reason: str = ""
    seconds: float = 0.0


def judged(net: Net) -> Row:
    """Prune one net by the first of its methods that is not refused, and prove it."""
    torch.manual_seed(0)
    start = time.perf_counter()
    module = net.build().eval()
    make_distinct(module)
    inputs, reasons = net.inputs(), list[str]()
    if isinstance(module, torch.nn.Sequential):
        inputs = {"input": inputs["x"]}
    let_signals_through(module, inputs)
    for method in net.methods:
        pruning = Pruning(method=method, ratio=net.ratio, parameters_left=1.0, macs_left=1.0)
        spec = ModelSpec(
            name="net",
            family="own",
            task="image_classification",
            build=lambda: module,
            sizes={"tiny": Size(pruning=pruning)},
            outputs=("out",),
        )
        try:
            made = prune_module(module, spec, "tiny", inputs)
        except OutputsChanged:  # as the product does with a model whose record names no head
            made = prune_unguided(module, spec, "tiny", inputs)
            method = f"{method}, last layers kept"
        except PruningError as error:
            reasons.append(f"{method}: {error}".replace("net: ", "", 1))
            continue
        proof = prove(module, made.module, inputs)
        right = proof.is_right and proof.can_tell
        return Row(
            net=net,
            verdict="right" if right else "wrong" if not proof.is_right else "blind",
            method=method,
            parameters=f"{made.parameters.left:.2f}",
            macs=f"{made.macs.left:.2f}",
            difference=f"{proof.difference:.0e} ({proof.zeros_at}; moved {proof.control:.0e})",
            reason="; ".join([*reasons, *made.uncut[:2]])
            + (f" (and {len(made.uncut) - 2} more)" if len(made.uncut) > 2 else ""),
            seconds=time.perf_counter() - start,
        )
    return Row(
        net=net, verdict="refused", reason="; ".join(reasons), seconds=time.perf_counter() - start
    )


HEAD = "| net | of | verdict | method | parameters left | MACs left | largest difference | what stayed, and why | s |"


def line(row: Row) -> str:
    """One line of the table."""
    reason = row.reason.replace("|", "/").replace("\n", " ")
    return (
        f"| {row.net.name} | {row.net.library} | {row.verdict} | {row.method} | {row.parameters} | {row.macs}"
        f" | {row.difference} | {reason[:300]} | {row.seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--library", default="")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    wanted = [n for n in arguments.only.split(",") if n]
    rows = []
    print(HEAD, flush=True)
    for net in (*NETS, *SMALL):
        if wanted and net.name not in wanted:
            continue
        if arguments.library and net.library != arguments.library:
            continue
        try:
            row = judged(net)
        except Exception as error:  # a net that cannot be built or judged is a row too
            row = Row(net=net, verdict="error", reason=f"{type(error).__name__}: {error}")
        rows.append(row)
        print(line(row), flush=True)
    counts = {
        v: sum(r.verdict == v for r in rows)
        for v in ("right", "refused", "wrong", "blind", "error")
    }
    print(counts)
    if arguments.markdown:
        text = arguments.markdown.read_text(encoding="utf-8")
        start, end = "<!-- table -->", "<!-- end of table -->"
        head, tail = text.split(start)[0], text.split(end)[1]
        table = "\n".join([HEAD, "|---|---|---|---|--:|--:|---|---|--:|", *map(line, rows)])
        summary = ", ".join(f"{n} {v}" for v, n in counts.items())
        arguments.markdown.write_text(
            f"{head}{start}\n\n{len(rows)} nets: {summary}.\n\n{table}\n\n{end}{tail}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
