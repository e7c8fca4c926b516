"""Fixtures: a PostgreSQL server for the session, and an empty history in a file and on that server."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from history_stores import WHY_NOT, Server, installed


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    binaries = installed()
    if binaries is None or find_spec("psycopg") is None:
        pytest.skip(WHY_NOT)
    server = Server(binaries)
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty history, once as a file and once on a server."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    return str(request.getfixturevalue("server").new_database())
