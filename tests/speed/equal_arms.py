"""Two arms of the working tree, for scripts that take blocks of a gate themselves."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.gate.arm import handshake, open_arm
from bench.gate.pairing import run_in_both_arms
from bench.gate.source_tree import working_tree
from bench.plan import PLANS
from suite.options import Asked, resolve


def tiny_cells(models, backend="eager,onnxruntime"):
    """The selection of these models at tiny on the CPU, with one thread."""
    asked = Asked(models=[models], size="tiny", backend=backend, device="cpu", threads=1)
    return resolve(asked, num_gpus=0, num_cores=1)


@contextlib.contextmanager
def equal_arms(selection, plan, modules=()):
    """Yield name -> arm of base and head, both of the working tree, with the graphs of the cells made.

    `modules` of this folder are imported too, before an arm forks.
    """
    sources = working_tree(None)
    sources = replace(sources, paths=(*sources.paths, Path(__file__).parent))
    with tempfile.TemporaryDirectory() as out, contextlib.ExitStack() as stack:
        arms = {
            name: stack.enter_context(
                open_arm(
                    name,
                    sources,
                    selection=selection,
                    plan=PLANS[plan],
                    folder=Path(out),
                    out=Path(out),
                    deadline=600.0,
                    preload=(*selection.preload(), *modules),
                )
            )
            for name in ("base", "head")
        }
        arms = run_in_both_arms(lambda name: handshake(arms[name], list(selection.specs)))
        for arm in reversed(arms.values()):  # base finds in the cache what head has made
            arm.session.export_ahead(selection.cells, [arm.worker])
        yield arms
