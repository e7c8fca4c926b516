"""Results, options and facts are read as attributes of records, never by a string key."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = {"facts", "options", "result"}
READERS = {"get", "pop", "setdefault"}

EXPLAINED = {
    "records of the first format, on their way to today's": {"suite/results/schema1.py"},
    "the answer of a worker of an older source tree": {"suite/worker/client.py"},
    "columns of the history's database": {"bench/history/benchmark_export.py"},
    "the options in a run's document, run.json": {
        "bench/history/rows.py",
        "bench/report/terminal.py",
        "bench/summary/advice_text.py",
        "bench/summary/build.py",
        "bench/summary/ship.py",
    },
}
"""Reason -> files that read JSON or a database row of that name."""


def literal_reads(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every read with a string literal from a name or attribute of NAMES."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=held, slice=ast.Constant(value=str())):
                pass
            case ast.Call(
                func=ast.Attribute(value=held, attr=reader), args=[ast.Constant(value=str()), *_]
            ) if reader in READERS:
                pass
            case _:
                continue
        match held:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES:
                yield node.lineno, ast.unparse(node)


def reads_in(folder: Path) -> dict[str, list[tuple[int, str]]]:
    """File -> its literal reads, in the packages `bench` and `suite` below `folder`."""
    found = {
        path.relative_to(folder).as_posix(): list(literal_reads(path.read_text(encoding="utf-8")))
        for package in ("bench", "suite")
        for path in sorted((folder / package).rglob("*.py"))
    }
    return {file: reads for file, reads in found.items() if reads}


def test_nothing_is_read_by_a_string_key_that_a_record_has_as_an_attribute() -> None:
    explained = set().union(*EXPLAINED.values())
    assert [
        f"{file}:{line}: {text}; use an attribute of the record"
        for file, reads in reads_in(ROOT).items()
        if file not in explained
        for line, text in reads
    ] == []


def test_every_exception_is_still_needed() -> None:
    assert set().union(*EXPLAINED.values()) - set(reads_in(ROOT)) == set()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('x = facts["parity"]["verdict"]', [(1, "facts['parity']")]),
        ('x = job.options["graph"]', [(1, "job.options['graph']")]),
        ('x = 1\ny = answer.result.get("facts", {})', [(2, "answer.result.get('facts', {})")]),
        ('record.result.pop("metric")', [(1, "record.result.pop('metric')")]),
        ("facts[name] = facts[0]", []),
        ('document["facts"] = held.facts.curve', []),
        ('getattr(options, "get")(name)', []),
    ],
)
def test_a_string_key_is_found_however_it_is_read(
    code: str, expected: list[tuple[int, str]]
) -> None:
    assert list(literal_reads(code)) == expected


def test_a_planted_key_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    for package in ("bench", "suite"):
        (tmp_path / package).mkdir()
    (tmp_path / "suite" / "stage.py").write_text('def f(job):\n    return job.options["seed"]\n')
    assert reads_in(tmp_path) == {"suite/stage.py": [(2, "job.options['seed']")]}
