"""Timestamps of runs, and their validation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime(2016, 1, 1, tzinfo=UTC)
"""Earliest valid time: PyTorch did not exist before, so an earlier one comes from a clock that was never set."""
AHEAD: Final = timedelta(days=1)
"""How far another machine's clock may be ahead."""


def parse_timestamp(text: object, now: datetime) -> datetime | None:
    """Parse an ISO 8601 timestamp to UTC; None if it is invalid or out of the plausible range.

    A timestamp without a time zone is taken as UTC.
    """
    try:
        moment = datetime.fromisoformat(str(text))
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment <= now + AHEAD else None
