"""The tables.

Frozen: what a database of version 0001 looks like, whatever `tables.py` says today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "vitals_environments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vitals_environments"),
        sa.UniqueConstraint("fingerprint", name="uq_vitals_environments_fingerprint"),
    )
    op.create_table(
        "vitals_runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("finished_at", moment),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vitals_runs"),
        sa.UniqueConstraint("key", name="uq_vitals_runs_key"),
    )
    op.create_table(
        "vitals_records",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vitals_records"),
        sa.UniqueConstraint("run_id", "cell", "step", name="uq_vitals_records_run_id_cell_step"),
        _reference("vitals_records", "run_id", "vitals_runs", ondelete="CASCADE"),
        _reference("vitals_records", "environment_id", "vitals_environments"),
    )
    op.create_table(
        "vitals_series",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("size", sa.Text, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("dtype", sa.Text, nullable=False),
        sa.Column("batch", sa.Integer, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vitals_series"),
        sa.UniqueConstraint("name", name="uq_vitals_series_name"),
    )
    op.create_table(
        "vitals_measurements",
        sa.Column("record_id", sa.Integer, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("low", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("p90", sa.Double),
        sa.Column("p99", sa.Double),
        sa.Column("num_samples", sa.Integer, nullable=False),
        sa.Column("sentinel", sa.Double),
        sa.Column("ratio", sa.Double),
        sa.PrimaryKeyConstraint("record_id", "series_id", name="pk_vitals_measurements"),
        _reference("vitals_measurements", "record_id", "vitals_records", ondelete="CASCADE"),
        _reference("vitals_measurements", "series_id", "vitals_series"),
    )
    op.create_table(
        "vitals_samples",
        sa.Column("record_id", sa.Integer, nullable=False),
        sa.Column("series_id", sa.Integer, nullable=False),
        sa.Column("iterations", sa.Integer, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "series_id", name="pk_vitals_samples"),
        _reference("vitals_samples", "record_id", "vitals_records", ondelete="CASCADE"),
        _reference("vitals_samples", "series_id", "vitals_series"),
    )


def _reference(
    table: str, column: str, other: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete
    )
