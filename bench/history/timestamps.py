"""Moments as runs tell them, and which of them can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST: Final = datetime(2016, 1, 1, tzinfo=UTC)
"""Before PyTorch there was nothing to measure: an earlier moment is a clock that was never set."""
AHEAD: Final = timedelta(days=1)
"""How far another machine's clock may be before ours."""


def parse_timestamp(text: object, now: datetime) -> datetime | None:
    """The moment in UTC that an ISO 8601 text tells, or None when it tells none, or one that cannot have been.

    A text without a zone is taken as UTC.
    """
    try:
        moment = datetime.fromisoformat(str(text))
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment <= now + AHEAD else None
