"""The version of a history's tables: told, and brought to the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from bench.history.errors import HistoryError
from bench.history.tables import METADATA

VERSION_TABLE: Final = "vitals_version"
"""Ours alone, for a database may hold the tables of others, with an `alembic_version` of theirs."""
VERSIONS: Final = ("0001", "0002")
"""Every version there has been, oldest first; one file each in `migrations/versions`."""
NEWEST: Final = VERSIONS[-1]
MIGRATIONS: Final = Path(__file__).with_name("migrations")
LOCK: Final = 0x76697461
"""Key of the advisory lock under which one writer makes the tables while the others wait."""


def schema_version(connection: Connection) -> str | None:
    """The version of the tables, or None where there are none.

    Raises HistoryError when they come from a newer torch-vitals than this one.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if found is None or found in VERSIONS:
        return found
    raise HistoryError(
        f"its tables are of version {found}, and this torch-vitals knows up to {NEWEST}:"
        " a newer one wrote it, and nothing was changed; upgrade torch-vitals, or name another"
        " database with --store"
    )


def upgrade_schema(connection: Connection, *, to: str = "head") -> None:
    """Make what is missing of the tables, in the connection's transaction: all of it or nothing.

    Raises HistoryError for tables of a newer version.
    """
    wanted = NEWEST if to == "head" else to
    if schema_version(connection) == wanted:
        return
    if connection.dialect.name == "postgresql":  # SQLite's writer has the file to itself already
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if schema_version(connection) == wanted:
            return
    from alembic import command  # needed once in the life of a database
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes |= {
        "connection": connection,
        "version_table": VERSION_TABLE,
        "metadata": METADATA,
    }
    command.upgrade(config, to)
