"""A process that stores graphs in a shared export cache, takes those of others and prunes; started by the tests."""

from __future__ import annotations

import random
import sys
from functools import partial
from pathlib import Path

from suite.stages.export import cache
from suite.states import entries

KEYS = 5
ROUNDS = 60


def content(number: int) -> bytes:
    return bytes([number]) * 40_000


def weights(number: int, folder: Path) -> dict[str, int]:
    for name in "abc":
        (folder / name).write_bytes(content(number))
    return {"number": number}


def main(top: str, number: str) -> None:
    draw, folder = random.Random(number), Path(top, "cache")
    own = Path(top, f"own-{number}")
    own.mkdir()
    taken = 0
    print(0, flush=True)
    for turn in range(ROUNDS):
        which = draw.randrange(KEYS)
        key = f"{which}" * 64
        entry = cache.entry_of(folder, "mlp", key)
        output = own / "taken.onnx"
        found = cache.load(entry, key, output)
        if found is not None:
            assert found == {"number": which}
            assert output.read_bytes() == content(which), "a graph of another entry"
            taken += 1
        if found is None or draw.random() < 0.3:
            graph = own / f"{turn}.onnx"
            graph.write_bytes(content(which))
            cache.store(entry, key, graph, {"number": which})
        state = entries.find(Path(top, "states"), "mlp", key)
        if state is not None:
            taken += 1
        if state is None or draw.random() < 0.2:
            entries.keep(Path(top, "states"), "mlp", key, partial(weights, which))
        if draw.random() < 0.1:
            cache.prune(folder, max_bytes=100_000)
    print(taken, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
