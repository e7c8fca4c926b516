"""Classification of database errors: transient, or with a message for the user."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFailure:
    """One kind of database failure."""

    what: str
    """What happened."""
    next_step: str
    """What to do next."""
    is_transient: bool = False
    """True if a retry may succeed."""


BUSY: Final = DatabaseFailure(
    what="others kept it busy for all the time that was given",
    next_step="try again when fewer jobs write, or find the program that holds it",
    is_transient=True,
)
LOST: Final = DatabaseFailure(
    what="the connection broke in the middle",
    next_step="see whether the server runs",
    is_transient=True,
)
AWAY: Final = DatabaseFailure(
    what="it cannot be reached",
    next_step="see whether the server runs and the address is right, or name another one with --store",
)
CLOSED: Final = DatabaseFailure(
    what="it cannot be opened",
    next_step="see that the folder is there and may be written, or name another file with --store",
)
READ_ONLY: Final = DatabaseFailure(
    what="it may only be read",
    next_step="make the file and its folder writable (a server: grant the role INSERT, UPDATE, DELETE and"
    " CREATE), or name another one with --store",
)
FULL: Final = DatabaseFailure(
    what="there is no space left for it",
    next_step="free some, or name a database elsewhere with --store",
)
FOREIGN: Final = DatabaseFailure(
    what="it is no SQLite database",
    next_step="name another file with --store, or move this one away",
)
DAMAGED: Final = DatabaseFailure(
    what="the file is damaged",
    next_step="move it away (`sqlite3 FILE .recover` saves what can be read) and record the run folders"
    " again: python -m bench history record RUN",
)
BROKEN_DISK: Final = DatabaseFailure(
    what="the disk gave an error", next_step="look at the disk (full? unplugged? a network folder?)"
)
NO_DATABASE: Final = DatabaseFailure(
    what="the server has no database of that name",
    next_step="create it (createdb NAME), or name another one with --store",
)
REFUSED: Final = DatabaseFailure(
    what="the server does not let this user in",
    next_step="see user and password; a password is best kept in PGPASSWORD or ~/.pgpass",
)

SQLITE: Final = (
    ("SQLITE_BUSY", BUSY),
    ("SQLITE_LOCKED", BUSY),
    ("SQLITE_FULL", FULL),
    ("SQLITE_READONLY", READ_ONLY),
    ("SQLITE_PERM", READ_ONLY),
    ("SQLITE_CANTOPEN", CLOSED),
    ("SQLITE_NOTADB", FOREIGN),
    ("SQLITE_CORRUPT", DAMAGED),
    ("SQLITE_IOERR", BROKEN_DISK),
)
"""Prefix of SQLite's error name -> failure (https://sqlite.org/rescode.html)."""
POSTGRESQL: Final = (
    ("40001", BUSY),  # serialization failure
    ("40P01", BUSY),  # deadlock
    ("55P03", BUSY),  # lock not available
    ("23505", BUSY),  # unique: another writer made the same row or table in this moment
    ("42P07", BUSY),  # duplicate table
    ("42701", BUSY),  # duplicate column
    ("53300", BUSY),  # too many connections
    ("57P03", BUSY),  # the server is starting
    ("53100", FULL),
    ("53", BROKEN_DISK),
    ("25006", READ_ONLY),
    ("42501", READ_ONLY),
    ("3D000", NO_DATABASE),
    ("28", REFUSED),
    ("57P", LOST),
    ("08", LOST),
)
"""Prefix of SQLSTATE -> failure; the first match counts."""
ANSWERS: Final = (
    (r'role ".*" does not exist', REFUSED),
    (r'database ".*" does not exist', NO_DATABASE),
    (r"authentication failed|no password supplied|pg_hba", REFUSED),
    (r"starting up|too many clients|remaining connection slots", BUSY),
)
"""Pattern in a server's refusal -> failure."""


def classify_error(error: Exception) -> DatabaseFailure | None:
    """Return the failure of a database error, or None for a programming error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _first(SQLITE, getattr(cause, "sqlite_errorname", ""))
    state = getattr(cause, "sqlstate", None)
    if state:
        return _first(POSTGRESQL, state)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return LOST
    if isinstance(error, DBAPIError) and type(cause).__name__ in (
        "OperationalError",
        "ConnectionTimeout",
        "InterfaceError",
    ):
        return _unreachable(str(cause))
    return None


def _unreachable(text: str) -> DatabaseFailure:
    """Return why no connection was made, from the server's text: SQLSTATE is only available once connected."""
    return next((fault for words, fault in ANSWERS if re.search(words, text)), AWAY)


def error_text(error: Exception) -> str:
    """Return the database's own message on one line."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    text = " ".join(str(cause).split()) or type(cause).__name__
    return text if len(text) <= 300 else f"{text[:299]}…"


def _first(rows: tuple[tuple[str, DatabaseFailure], ...], code: str) -> DatabaseFailure | None:
    return next((fault for beginning, fault in rows if code.startswith(beginning)), None)


DATABASE_ERRORS: Final = (SQLAlchemyError, sqlite3.Error)
"""Exceptions of databases; SQLite's own too, because those of a new connection are not wrapped."""
