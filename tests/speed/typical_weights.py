"""How much longer than typical a model's steps take: `python tests/speed/typical_weights.py RUN [RUN ...] [--write]`.

Reads the records of runs of the catalogue (a run's folder, or its records.jsonl), best on a quiet machine, and prints
the table of `suite/engine/typical_weights.py`, and the typical seconds by step, of a module and of a graph; `--write`
puts the table there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from suite.engine.typical_weights import COLUMNS

TARGET = Path(__file__).resolve().parents[2] / "suite" / "engine" / "typical_weights.py"
MARK = "WEIGHTS: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = "


def seconds_of(files: list[Path]) -> dict[tuple[str, str, bool], dict[str, float]]:
    """(size, step, is of a graph) -> model -> seconds, of the steps that passed."""
    found: dict[tuple[str, str, bool], dict[str, float]] = defaultdict(dict)
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            cell = record["cell"]
            if record["outcome"] == "passed" and cell["variant"] == "original":
                key = (cell["size"], record["step"], cell["backend"] != "eager")
                found[key][cell["model"]] = float(record["seconds"])
    return found


def weights_of(
    found: dict[tuple[str, str, bool], dict[str, float]],
) -> dict[str, dict[str, dict[str, float]]]:
    """size -> model -> step -> seconds as a multiple of their mean over models, the mean over module and graph."""
    seen: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for (size, step, _), by_model in found.items():
        mean = fmean(by_model.values())
        for model, seconds in by_model.items():
            if step in COLUMNS and mean > 0:
                seen[size, model, step].append(seconds / mean)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for (size, model, step), weights in seen.items():
        table.setdefault(size, {}).setdefault(model, {})[step] = round(fmean(weights), 2)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    files = [run / "records.jsonl" if run.is_dir() else run for run in given.runs]
    found = seconds_of(files)
    for (size, step, is_graph), by_model in sorted(found.items()):
        what = "graph" if is_graph else "module"
        print(f"{size:6} {step:12} {what:7} {fmean(by_model.values()):6.2f} s  of {len(by_model)}")
    table = weights_of(found)
    lines = ["{"]
    for size, models in table.items():
        lines.append(f'    "{size}": {{')
        for model, row in models.items():
            cells = ", ".join(str(row.get(step, 1.0)) for step in COLUMNS)
            lines.append(f'        "{model}": ({cells}),')
        lines.append("    },")
    text = "\n".join([*lines, "}"])
    if given.write:
        head, mark, _ = TARGET.read_text(encoding="utf-8").partition(MARK)
        TARGET.write_text(f"{head}{mark}{text}\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
