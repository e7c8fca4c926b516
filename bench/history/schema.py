"""Schema version of a history's tables, and their upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from bench.history.errors import HistoryError
from bench.history.tables import METADATA

VERSION_TABLE: Final = "vitals_version"
"""Not `alembic_version`: the database may hold tables of other programs."""
VERSIONS: Final = ("0001", "0002")
"""All versions, oldest first; one file each in `migrations/versions`."""
NEWEST: Final = VERSIONS[-1]
MIGRATIONS: Final = Path(__file__).with_name("migrations")
LOCK: Final = 0x76697461
"""Key of the advisory lock under which one writer creates the tables while others wait."""


def schema_version(connection: Connection) -> str | None:
    """Return the version of the tables, or None if there are none.

    Raises HistoryError if they were written by a newer torch-vitals.
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
    """Create or upgrade the tables in the connection's transaction.

    Raises HistoryError for tables of a newer version.
    """
    wanted = NEWEST if to == "head" else to
    if schema_version(connection) == wanted:
        return
    if connection.dialect.name == "postgresql":  # SQLite's writer has the file to itself already
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        if schema_version(connection) == wanted:
            return
    from alembic import command  # imported once per database
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
