"""Errors of drawing; each message states the problem, the expectation and the next step."""

from __future__ import annotations

from typing import Final

DEADLINE: Final = 300.0
"""Seconds for one picture, after which PictureTimedOut is raised; a small one takes 1 s, one of 2,500 nodes a quarter
of a minute.
"""


class PictureError(RuntimeError):
    """Base of the errors raised if no picture was made."""


class BrowserMissing(PictureError):
    """Error raised if no browser is on PATH."""


class BrowserFailed(PictureError):
    """Error raised if the browser did not start, ended, or refused."""


class PictureTimedOut(PictureError):
    """Error raised if the deadline passed."""


class NotDrawn(PictureError):
    """Error raised if Netron could not read or draw the file."""
