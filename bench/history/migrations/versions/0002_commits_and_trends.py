"""The commit of a run, so that a change point names what to look at; an index that a trend is read by.

Without the index the newest points of one series are found by reading every measurement there is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, empty for the runs that are there, and the index."""
    op.add_column("vitals_runs", sa.Column("commit_id", sa.Text))
    op.add_column("vitals_runs", sa.Column("is_dirty", sa.Boolean))
    op.create_index(
        "ix_vitals_measurements_series_id_at", "vitals_measurements", ["series_id", "at"]
    )
