"""The best lane within a drop of one point against eager float32, over models: `python tests/speed/best_lane.py`.

Every model is tuned by `python -m bench tune --max-drop 1`: its lanes are judged by the task's metric on the trained
model and measured in turns in one sitting. Prints a line per model with the chosen lane, its speed over eager and what
it costs, then geometric means with their intervals: of the best lanes, of the best that are not pruned, and of ONNX
Runtime's 8-bit graphs alone.
`--again` reads the choices of earlier calls in OUT and tunes what is missing. Models called NAME_brief are those of
`briefly_trained.py`: what of a life takes hours at base is cut short. `--markdown FILE` writes the table.
Goals: 5x on a CPU with AMX, 4x with VNNI alone, 2.5x with AVX2; 8 bits alone 4x.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.paired_ratio import mean_ratio
from bench.summary.labels import interval_text, times
from suite import units
from suite.axes import INT8, ONNXRUNTIME, PRUNED, PRUNED_INT8
from tests.machine import machine

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "onnxruntime", "openvino", "transformers")
Triple = tuple[float, float, float]
"""A value, and its interval's ends."""
DEFAULT = (
    "mlp,cnn,rnn,lstm,gru,resnet18,inception_v3,unet_brief,"
    "bert_brief,gpt2_brief,llama_brief,t5_brief,transformer_brief"
)
BRIEF = Path(__file__).parent / "briefly_trained.py"
"""Records of models that take hours to train on a CPU as the catalogue has them."""


def tuned(model: str, given: argparse.Namespace) -> dict[str, Any] | None:
    """The document of the choice for a model; None if there is none, which the command has then explained."""
    path = given.out / f"{model}-{given.size}.json"
    if given.again and path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    words = [sys.executable, "-m", "bench", "tune", model, "--size", given.size]
    words += ["--max-drop", f"{given.max_drop:g}", "--plan", given.plan, "--no-bundle"]
    words += ["--threads", given.threads, "--format", "json", "--out", str(given.out.resolve())]
    words += ["--models-from", str(given.models_from)]
    words += ["--backend", given.backend] if given.backend else []
    words += ["--variant", given.variant] if given.variant else []
    words += ["--weights", given.weights]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        return None
    given.out.mkdir(parents=True, exist_ok=True)
    path.write_text(done.stdout, encoding="utf-8")
    return json.loads(done.stdout)


def lane_of(document: Mapping[str, Any], label: str | None) -> Mapping[str, Any] | None:
    """The lane of that label, with a speed."""
    found = (lane for lane in document["lanes"] if lane["label"] == label and lane["ratio"])
    return next(found, None)


def fastest(
    document: Mapping[str, Any], keep: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any] | None:
    """The fastest lane within the limits among those whose cell `keep` takes; None if there is none."""
    own = [
        lane
        for lane in document["lanes"]
        if lane["ratio"] and not lane["limits"] and keep(lane["cell"])
    ]
    return max(own, key=lambda lane: lane["ratio"]["value"], default=None)


def is_whole(cell: Mapping[str, Any]) -> bool:
    """Whether nothing was pruned."""
    return cell.get("variant") not in (PRUNED, PRUNED_INT8)


def is_eight_bits(cell: Mapping[str, Any]) -> bool:
    """Whether it is the 8-bit graph in ONNX Runtime alone."""
    return cell.get("variant") == INT8 and cell.get("backend") == ONNXRUNTIME


NOT_PRUNED: Final = "best lane of those that are not pruned"
EIGHT_BITS: Final = "8 bits in ONNX Runtime alone"
AMONG: Final = {NOT_PRUNED: is_whole, EIGHT_BITS: is_eight_bits}
"""What else has a mean -> the lanes among which the fastest is taken."""


def triple(lane: Mapping[str, Any]) -> Triple:
    """The speed over eager with its interval."""
    ratio = lane["ratio"]
    return ratio["value"], ratio["low"], ratio["high"]


def table(documents: Mapping[str, dict[str, Any] | None]) -> str:
    """The choices as Markdown, with the geometric means."""
    rows = [
        "| model | best lane | times | cost | median | best that is not pruned | times | cost |"
        " 8 bits in ONNX Runtime |",
        "|---|---|--:|--:|--:|---|--:|--:|--:|",
    ]
    best: list[Triple] = []
    others: dict[str, list[Triple]] = {what: [] for what in AMONG}
    for model, document in documents.items():
        lane = lane_of(document, document["ship"]) if document else None
        if document is None or lane is None:
            why = document["verdict"] if document else "it could not be tuned; see above"
            rows.append(f"| {model} | none: {why} | | | | | | | |")
            continue
        best.append(triple(lane))
        found = {what: fastest(document, keep) for what, keep in AMONG.items()}
        for what, own in found.items():
            others[what] += [triple(own)] if own else []
        whole, eight = found[NOT_PRUNED], found[EIGHT_BITS]
        seconds = units.seconds((lane["latency"] or {}).get("value"))
        cells = (
            *(model, *told(lane), seconds),
            *(told(whole) if whole else ("-", "-", "-")),
            times_text(eight) if eight else "-",
        )
        rows.append(f"| {' | '.join(cells)} |")
    rows += ["", mean_line("best lane", best)]
    rows += [mean_line(what, ratios) for what, ratios in others.items()]
    return "\n".join(rows)


def told(lane: Mapping[str, Any]) -> tuple[str, str, str]:
    """A lane's title, its speed over eager, and its cost."""
    cost = ", ".join(
        f"{name} {units.significant(value)}"
        for name, value in (lane["cost"] or {}).items()
        if isinstance(value, float)
    )
    return lane["title"], times_text(lane), cost or "none"


def times_text(lane: Mapping[str, Any]) -> str:
    """A lane's speed over eager with its interval."""
    value, low, high = triple(lane)
    return times(value) + interval_text(low, high)


def mean_line(what: str, ratios: Sequence[Triple]) -> str:
    """A geometric mean in a line."""
    if not ratios:
        return f"{what}: no model."
    value, low, high = mean_ratio(list(ratios))
    return f"{what}: {times(value)}{interval_text(low, high)} over {len(ratios)} models.  "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=DEFAULT)
    parser.add_argument("--size", default="base", choices=("tiny", "base"))
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--backend", default="")
    parser.add_argument("--variant", default="")
    parser.add_argument("--models-from", type=Path, default=BRIEF)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--plan", default="standard")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / ".vitals" / "best-lane")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    documents: dict[str, dict[str, Any] | None] = {}
    for model in given.models.split(","):
        documents[model] = tuned(model, given)
        print(table(documents), flush=True)
    if given.markdown:
        head = (
            f"# Best lane within {given.max_drop:g} at {given.size}\n\n{machine(PACKAGES)} at"
            f" the end; threads: {given.threads}; times eager float32 of the trained model."
        )
        given.markdown.write_text(f"{head}\n\n{table(documents)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
