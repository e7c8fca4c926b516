"""A package is compiled once per run and loaded from then on; without a C++ compiler it cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from suite.axes import AOTINDUCTOR  # noqa: E402
from suite.backends import aotinductor  # noqa: E402
from suite.backends.eager import load as load_eager  # noqa: E402
from suite.cell import Cell  # noqa: E402
from suite.data.sources import sources_in  # noqa: E402
from suite.worker.errors import Unavailable  # noqa: E402
from suite.worker.job_options import JobOptions  # noqa: E402
from suite.worker.protocol import CellJob  # noqa: E402

pytestmark = pytest.mark.heavy


def job_in(folder: Path) -> CellJob:
    """Tiny mlp as a package below `folder`."""
    return CellJob(
        runner="",
        cell=Cell(model="mlp", size="tiny", backend=AOTINDUCTOR),
        options=JobOptions(sources=sources_in(None), threads=1, run_dir=str(folder)),
    )


def test_without_a_compiler_it_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(Unavailable, match=r"there is no no-such-compiler; next: apt-get install"):
        aotinductor.load(job_in(tmp_path), lambda kind, /, **data: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_package_is_compiled_once_and_answers_like_the_module(tmp_path):
    phases: list[str] = []
    job = job_in(tmp_path)

    def emit(kind: str, /, **data: object) -> None:
        phases.append(str(data["name"]))

    subject = aotinductor.load(job, emit)
    assert phases[-2:] == ["compile", "session"]
    (package,) = (tmp_path / aotinductor.FOLDER).iterdir()
    assert package.name == f"{job.cell.id}-1.pt2"
    assert subject.setup.package_bytes == package.stat().st_size > 0
    with subject.inference():
        (expected,) = load_eager(job, emit).outputs()
        torch.testing.assert_close(subject.outputs()[0], expected)
    phases.clear()
    again = aotinductor.load(job, emit)
    assert "compile" not in phases
    torch.testing.assert_close(again.outputs()[0], expected)
