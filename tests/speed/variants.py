"""What pruning and 8 bits gain at base on this CPU, and cost: `python tests/speed/variants.py [--models NAMES]`.

For each model `pytest suite` trains it briefly, prunes it, quantizes both and exports all (found again when it was
done before); then `pytest bench --variant ...` measures the states in turns, in one sitting (docs/metrics.md). Prints a
table: seconds as medians of the turns, ratios to eager and, of 8-bit graphs, to the float graph on the same runtime,
both with their intervals; beside them the ratio that the suite's own table shows, from the glance of the stage that
made the state, and whether the two intervals meet; bytes, and the metric's drop. Writes it with date, CPU and versions
to `--markdown FILE`. Goals, at base: best 8-bit lane 4 times as fast as eager (geometric mean, where the CPU has
VNNI), resnet18 with half of its channels twice as fast.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.output.names import backend_name, variant_name
from bench.paired_ratio import mean_ratio
from bench.stats import median
from bench.summary.build import build_report
from bench.summary.labels import interval_text, known_text, times
from bench.summary.lifecycle_records import Life, Ratio, State
from bench.summary.model import Comparison, Lane
from suite import units
from suite.axes import EAGER, INT8, ONNXRUNTIME, PRUNED, PRUNED_INT8, TRAINED, VARIANTS
from suite.cell import Cell
from suite.results.measuring import PairsResult
from suite.runs.load import Run, load_run
from tests.machine import machine

PACKAGES = ("torch", "onnxruntime", "torchvision", "transformers")

ROOT = Path(__file__).resolve().parents[2]
STATES = (TRAINED, PRUNED, INT8, PRUNED_INT8)
DEFAULT = "resnet18,inception_v3,unet,vit_b_16,bert_classifier,gpt2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One state on one backend."""

    model: str
    state: State
    seconds: float | None
    """Median of its turns."""
    turns: Comparison | None
    """Against the trained model in eager PyTorch, in turns."""
    like_for_like: Comparison | None
    """Against the float state that it was quantized from, on the same backend."""
    glance: Ratio | None
    """What the suite's table says."""

    @property
    def agrees(self) -> str:
        """Return `yes` or `no`: whether both intervals meet; empty if one is missing."""
        a, b = self.turns, self.glance
        if a is None or b is None or b.low is None or b.high is None:
            return ""
        return "yes" if a.low <= b.high and b.low <= a.high else "no"


def run_of(command: str, model: str, given: argparse.Namespace, *more: str) -> Run:
    """The run of `pytest suite` or `pytest bench` on that model, in one folder of runs and states."""
    words = [sys.executable, "-m", "pytest", str(ROOT / command), "-q", "--models", model]
    words += ["--size", given.size, "--out", str(given.out.resolve()), "--device", "cpu"]
    words += ["--threads", str(given.threads), *more]
    words += ["--data", given.data] if given.data else []
    words += ["--train-on", given.train_on] if given.train_on else []
    if subprocess.run(words, cwd=ROOT, check=False).returncode:
        print(f"{model}: a step did not pass; what was measured is shown", file=sys.stderr)
    return load_run(max((given.out.resolve() / "runs").iterdir(), key=lambda p: p.stat().st_mtime))


def lines_of(model: str, suite: Run, bench: Run) -> list[Line]:
    """One line per state and backend of the life in the suite's run."""
    lanes: dict[tuple[str, str], Lane] = {
        (row.variant, lane.backend): lane for row in build_report(bench).rows for lane in row.lanes
    }
    turns = {}
    for record in bench.records:
        if isinstance(record.result, PairsResult) and record.result.own:
            for arm in (*record.result.references, record.result.own):
                cell = Cell.parse(arm.cell)
                turns[cell.variant, cell.backend] = median(arm.seconds)
    lives: tuple[Life, ...] = build_report(suite).lives
    found = []
    for state in (state for life in lives for state in life.states if state.name in STATES):
        lane = lanes.get((state.name, state.backend))
        parent = VARIANTS[state.name].parent
        found.append(
            Line(
                model=model,
                state=state,
                seconds=turns.get((state.name, state.backend)),
                turns=lane.against(TRAINED, EAGER) if lane else None,
                like_for_like=lane.against(parent, state.backend)
                if lane and state.backend == ONNXRUNTIME and state.name in (INT8, PRUNED_INT8)
                else None,
                glance=state.ratio,
            )
        )
    return found


def ratio(pair: Comparison | None) -> str:
    """The ratio with its interval."""
    return times(pair.ratio) + interval_text(pair.low, pair.high) if pair else ""


def table(lines: list[Line]) -> str:
    """The lines as Markdown."""
    rows = [
        "| model | state | p50 of its turns | times eager | times the float graph | in the suite's table"
        " | they agree | bytes | drop |",
        "|---|---|--:|--:|--:|--:|---|--:|--:|",
    ]
    for line in lines:
        state = line.state
        name = f"{variant_name(state.name)} on {backend_name(state.backend)}"
        glance = known_text(line.glance) if line.glance else ""
        drop = "" if state.drop is None else f"{state.drop:+.2f}"
        rows.append(
            f"| {line.model} | {name} | {units.seconds(line.seconds)} | {ratio(line.turns)}"
            f" | {ratio(line.like_for_like)} | {glance} | {line.agrees}"
            f" | {units.num_bytes(state.num_bytes)} | {drop} |"
        )
    best = [
        (p.ratio, p.low, p.high) for line in lines if line.state.name == INT8 and (p := line.turns)
    ]
    if best:
        value, low, high = mean_ratio(best)
        mean = times(value) + interval_text(low, high)
        rows += ["", f"8 bits against eager float32, geometric mean of {len(best)}: {mean}."]
    told = [line.agrees for line in lines if line.agrees and line.state.name != TRAINED]
    rows += ["", f"Both ways of timing agree on {told.count('yes')} of {len(told)} states."]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=DEFAULT)
    parser.add_argument("--size", default="base", choices=("tiny", "base"))
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "variants")
    parser.add_argument("--threads", type=int, default=0, help="default: every core")
    parser.add_argument("--plan", default="standard")
    parser.add_argument(
        "--train-on", default="", help="device that trains and prunes; default: cpu"
    )
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    lines: list[Line] = []
    for model in given.models.split(","):
        stages = ("--stages", "train,prune,quantize,export", "--jobs", "1")
        suite = run_of("suite", model, given, *stages)
        options = ("--variant", ",".join(STATES), "--plan", given.plan, "-k", "pairs")
        lines += lines_of(model, suite, run_of("bench", model, given, *options))
        print(table(lines))
    if given.markdown:
        head = (
            f"# Variants at {given.size}\n\n{machine(PACKAGES)}; {given.threads or 'all'} threads."
        )
        head += " One sample, the states in turns, each in a process of its own."
        given.markdown.write_text(f"{head}\n\n{table(lines)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
