"""The tables of a history in the newest version; `migrations` upgrades a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class Moment(TypeDecorator[datetime]):
    """A timestamp in UTC; stored without a time zone in SQLite, which has none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert for the database; raises ValueError without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert from the database, always to UTC."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ENVIRONMENTS: Final = Table(
    "vitals_environments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("facts", JSON, nullable=False),
)
"""One row per fingerprint: machine and versions under which results are comparable."""

RUNS: Final = Table(
    "vitals_runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("recorded_at", Moment, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("commit_id", Text),
    Column("is_dirty", Boolean),
)
"""One row per run; `key` identifies it, however often it is recorded."""

RECORDS: Final = Table(
    "vitals_records",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey(RUNS.c.id, ondelete="CASCADE"), nullable=False),
    Column("environment_id", ForeignKey(ENVIRONMENTS.c.id), nullable=False),
    Column("cell", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("digest", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    UniqueConstraint("run_id", "cell", "step"),
)
"""One row per cell and step of a run, whatever its outcome."""

SERIES: Final = Table(
    "vitals_series",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("cell", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("size", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("dtype", Text, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("variant", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("settings", Text, nullable=False),
)
"""One row per series: a cell, a metric, and the settings that determine it."""

MEASUREMENTS: Final = Table(
    "vitals_measurements",
    METADATA,
    Column("record_id", ForeignKey(RECORDS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("series_id", ForeignKey(SERIES.c.id), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("value", Double, nullable=False),
    Column("low", Double),
    Column("high", Double),
    Column("p90", Double),
    Column("p99", Double),
    Column("num_samples", Integer, nullable=False),
    Column("sentinel", Double),
    Column("ratio", Double),
    Index("ix_vitals_measurements_series_id_at", "series_id", "at"),
)
"""One point of a series: the metric's statistic, its interval, and its ratio to the sentinel."""

SAMPLES: Final = Table(
    "vitals_samples",
    METADATA,
    Column("record_id", ForeignKey(RECORDS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("series_id", ForeignKey(SERIES.c.id), primary_key=True),
    Column("iterations", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
)
"""The raw samples (see `compression`), in a table of their own that trends never read; a single sample is `value`."""
