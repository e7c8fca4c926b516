"""What can go wrong with a picture; each message says what happened, what was expected, and what to do next."""

from __future__ import annotations


class PictureError(RuntimeError):
    """No picture was made."""


class BrowserMissing(PictureError):
    """No browser is on PATH."""


class BrowserFailed(PictureError):
    """The browser did not start, ended, or refused."""


class PictureTimedOut(PictureError):
    """The deadline passed."""


class NotDrawn(PictureError):
    """Netron could not read or draw the file."""
