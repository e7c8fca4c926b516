"""What the gate is worth on this machine: `python tests/speed/gate.py [--rows 300] [--selftests 5]`.

Measures, and writes to docs/results/<date>-gate.md:

- A/A: the gate over unchanged rows, again and again until there are `--rows` of them, while a second process loads one
  core on and off; every REGRESSED is a false alarm. Every gate starts its launchers anew.
- the same rows through pytest-benchmark's `--benchmark-compare-fail=median:5%`, run after run, under the same load
- injected slowdowns of 5% and 10%, a known allocation, a known leak, a model that is 3% larger: the self-test's rows
- harness error: our p50 against a hand-written loop in the same process

With 300 rows it takes about an hour on two cores; `--rows 12 --selftests 1` is a first look of some minutes. `--append`
goes on with the counts of an earlier call, kept in OUT/speed.json, so that the hour can be had in pieces, and adds the
unchanged rows of this call to the ledger (gate_ledger.py; `--ledger` prints it and ends).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import gate_ledger
from peer_benchmark import LIMIT, one_run, rows_of

from bench.gate.block import Block
from bench.gate.memory_control import MemoryCheck
from bench.gate.power import probability_bound
from bench.gate.run import GateConfig, run_gate, sigterm_as_interrupt
from bench.gate.selftest import run_selftest
from bench.gate.selftest_history import SelftestHistory, Tally
from bench.gate.thresholds import Thresholds
from bench.steps import STEPS
from diagnostics.environment import Environment
from diagnostics.gather import gather
from suite import units
from suite.engine.run import preload_for
from suite.options import Asked, Selection, resolve
from tests.machine import machine

ROOT = Path(__file__).resolve().parents[2]

LOAD = """
import random, time
draw = random.Random(1)
while True:
    until = time.monotonic() + draw.uniform(0.5, 2.0)
    while time.monotonic() < until:
        pass
    time.sleep(draw.uniform(0.5, 2.0))
"""
"""One core busy for half a second to two seconds, then idle as long."""

MODELS = "mlp,cnn,lstm,gru,resnet18,bert,gpt2,yolo,unet"
"""Quick to build at tiny, one of each kind of work; each on two backends."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300, help="unchanged rows, at least")
    parser.add_argument("--selftests", type=int, default=5)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--backend", default="eager,onnxruntime")
    parser.add_argument("--size", default="tiny", choices=("tiny", "base"))
    parser.add_argument("--plan", default="standard")
    parser.add_argument("--quiet", action="store_true", help="no second process")
    parser.add_argument(
        "--beside", default="", help="what else runs here, in words; no second process then"
    )
    parser.add_argument(
        "--append", action="store_true", help="add to the counts of an earlier call"
    )
    parser.add_argument("--ledger", action="store_true", help="print the ledger and end")
    parser.add_argument("--no-harness", action="store_true", help="leave the hand-written loop out")
    parser.add_argument("--no-pytest-benchmark", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(".vitals"))
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "results")
    given = parser.parse_args()
    if given.ledger:
        print(gate_ledger.summary())
        return
    environment = gather(quick=True)
    threads = max(1, environment.system.num_cores - 1)
    asked = Asked(
        models=[given.models], size=given.size, backend=given.backend, device="cpu", threads=threads
    )
    selection = resolve(asked, num_gpus=0, num_cores=threads)
    kept = given.out / "speed.json"
    found = json.loads(kept.read_text()) if given.append and kept.exists() else {}
    found = {"aa": {}, "other": {}, "harness": [], "seconds": 0.0, "gates": 0, "drift": [], **found}
    earlier = Counter(found["aa"])
    with sigterm_as_interrupt(), load(quiet=given.quiet or bool(given.beside)):
        while sum(found["aa"].values()) < given.rows:
            folder = one_gate(selection, environment, given, found)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))  # also when what follows is stopped
            if not given.no_pytest_benchmark:
                for name, number in pytest_benchmark(selection, folder / "head" / "onnx").items():
                    found["other"][name] = found["other"].get(name, 0) + number
            kept.write_text(json.dumps(found))
        if given.append:
            gate_ledger.add(
                gate_ledger.sitting(
                    Counter(found["aa"]) - earlier,
                    witness=gate_ledger.TIME,
                    load=load_text(given),
                    plan=given.plan,
                    what=f"{given.models} at {given.size} on {given.backend}",
                )
            )
        ledger, memory = selftests(given, environment, threads)
    if not given.no_harness:
        found["harness"] = harness_error()
    kept.write_text(json.dumps(found))
    text = written(found, ledger, memory, given)
    target = given.results / f"{datetime.now(UTC):%Y-%m-%d}-gate.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(text)
    print(json.dumps({"results": str(target), **{k: found[k] for k in ("aa", "other", "harness")}}))


@contextlib.contextmanager
def load(*, quiet: bool):
    """A second process that loads one core on and off while the block runs."""
    if quiet:
        yield
        return
    child = subprocess.Popen([sys.executable, "-c", LOAD])
    try:
        yield
    finally:
        child.kill()
        child.wait()


def load_text(given) -> str:
    if given.beside:
        return f"{given.beside}; load {os.getloadavg()[0]:.1f} at the end"
    return (
        "an otherwise idle machine"
        if given.quiet
        else "a second process loading one core on and off"
    )


def one_gate(selection: Selection, environment: Environment, given, found) -> Path:
    """One gate whose arms are the same sources; adds its verdicts to the counts. Returns its folder."""
    began = time.monotonic()
    gate, folder = run_gate(
        GateConfig(
            selection=selection,
            thresholds=Thresholds(),
            started_in=Path.cwd(),
            out=given.out,
            plan=given.plan,
            fingerprint=environment.fingerprint(),
            preload=preload_for(selection, STEPS),
        ),
        say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    verdicts = Counter(row.verdict.value for row in gate.rows if row.verdict and row.is_timed)
    for name, number in verdicts.items():
        found["aa"][name] = found["aa"].get(name, 0) + number
    found["facts"] = found.get("facts", 0) + sum(len(row.worst_exact) for row in gate.rows)
    found["moved"] = found.get("moved", 0) + (gate.control_shift is not None)
    found["gates"] += 1
    found["seconds"] += time.monotonic() - began
    blocks: list[Block] = [b for row in gate.rows for b in (*row.screen, *row.confirm)]
    found["drift"] += [round(abs(b.drift), 4) for b in blocks]
    found["effects"] = found.get("effects", []) + [round(b.effect, 4) for b in blocks]
    print(f"gate {found['gates']}: {dict(verdicts)} {gate.sentence}", file=sys.stderr, flush=True)
    return folder


def pytest_benchmark(selection: Selection, graphs: Path) -> dict[str, int]:
    """Rows that pytest-benchmark's comparison of two runs of the same rows fails at median:5%, and all rows."""
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(selection, graphs)
        before, _ = one_run(rows, Path(folder), "one")
        after, has_failed = one_run(rows, Path(folder), "two", compare="0001")
    failed = sum(after[name] / before[name] > LIMIT for name in before)
    return {"rows": len(before), "failed": failed, "runs": 1, "failed_runs": int(has_failed)}


def selftests(given, environment, threads) -> tuple[SelftestHistory, list[MemoryCheck]]:
    """The ledger of all self-tests here, and the memory controls of the last."""
    found = None
    for number in range(given.selftests):
        found = run_selftest(
            out=given.out,
            plan=given.plan,
            threads=threads,
            deadline=600.0,
            fingerprint=environment.fingerprint(),
            say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
        )
        print(f"self-test {number + 1}: {found.sentence}", file=sys.stderr, flush=True)
    if found is None:
        return SelftestHistory(fingerprint=environment.fingerprint()), []
    return found.total, list(found.memory)


def harness_error() -> list[dict[str, object]]:
    """Model -> our p50 over a hand-written loop's, minus 1; by the thread's CPU time, as other work runs here."""
    script = ROOT / "tests" / "bench" / "compare_with_loop.py"
    command = [sys.executable, str(script), "--clock", "cpu", "--threads", "1"]
    command += ["--models", "mlp,resnet18,bert"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=True)
    document = json.loads(done.stdout.strip().splitlines()[-1])
    return document if isinstance(document, list) else [document]


def written(found, ledger: SelftestHistory, memory, given) -> str:
    """The results as Markdown."""
    aa, total = found["aa"], sum(found["aa"].values())
    alarms = aa.get("REGRESSED", 0)
    other = found["other"]
    lines = [
        f"# {datetime.now(UTC):%Y-%m-%d}, the gate: false alarms, recall, errors",
        "",
        f"{machine()} at the end; {load_text(given)}. Plan `{given.plan}`, {given.size} models,"
        " one thread less than there are cores.",
        "Made by `python tests/speed/gate.py`.",
        "",
        "## Unchanged code",
        "",
        "| what | rows | false alarms | rate |",
        "|---|--:|--:|--:|",
        f"| `pytest bench --against` | {total} | {alarms} | {alarms / max(total, 1):.1%},"
        f" at most {probability_bound(alarms, total):.1%} (95%) |",
    ]
    if other:
        lines += [
            f"| pytest-benchmark, `--benchmark-compare-fail=median:5%` | {other['rows']} |"
            f" {other['failed']} | {other['failed'] / max(other['rows'], 1):.1%};"
            f" {other['failed_runs']} of {other['runs']} runs failed |"
        ]
    effects = sorted(abs(e) for e in found.get("effects", [])) or [0.0]
    drift = sorted(found["drift"]) or [0.0]
    lines += [
        "",
        f"Verdicts: {', '.join(f'{n} {v}' for v, n in sorted(aa.items()))}."
        f" Facts called worse: {found.get('facts', 0)}."
        f" Gates whose negative control moved: {found.get('moved', 0)} of {found['gates']}.",
        f"A gate over {total // max(found['gates'], 1)} rows took"
        f" {units.seconds(found['seconds'] / max(found['gates'], 1))}.",
        f"Block effects: half within {units.percent(effects[len(effects) // 2])}, nine tenths within"
        f" {units.percent(effects[9 * len(effects) // 10])}; pairing took out {units.percent(drift[len(drift) // 2])}"
        f" at the median block and {units.percent(drift[9 * len(drift) // 10])} at nine tenths.",
        "",
        "## Injected slowdowns",
        "",
        f"From {ledger.runs} self-tests on this machine; three workloads each.",
        "",
        "| head does | rows | REGRESSED | INCONCLUSIVE | passed | recall |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for more, words in ((0, "the same"), (5, "5% more"), (10, "10% more")):
        tally = ledger.tallies.get(more, Tally())
        recall = "" if not more or tally.recall is None else f"{tally.recall:.2f}"
        lines.append(
            f"| {words} | {tally.rows} | {tally.regressed} | {tally.inconclusive} | {tally.passed} | {recall} |"
        )
    lines += [
        "",
        "## Known memory",
        "",
        "| what | expected | reported | error | flagged |",
        "|---|--:|--:|--:|---|",
    ]
    for check in memory:
        error = None if check.reported is None else check.reported / check.expected - 1
        lines.append(
            f"| {check.name} | {units.shown(check.expected, check.unit)} |"
            f" {units.shown(check.reported, check.unit)} | {units.percent(error, sign=True)} |"
            f" {'yes' if check.is_flagged else 'no'} |"
        )
    if found["harness"]:
        lines += ["", "## Harness error", "", "```json", json.dumps(found["harness"]), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
