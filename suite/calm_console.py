"""Consoles of rich that print no control codes but their own: a model's name or an error's text steers no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.measure import Measurement
from rich.segment import Segment

from diagnostics.control_codes import without_codes


def calm_console(**options: Any) -> Console:
    """Return a console with these options of rich, through which control codes in texts do not pass."""
    console = Console(**options)
    console.push_render_hook(_Calm())
    return console


class _Calm(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is about to be printed."""
        return [_Calmed(renderable) for renderable in renderables]


class _Calmed:
    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self._segments(console, options)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)

    def _segments(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._inner, options):
            is_ours = segment.control is not None  # rich's own movements of the cursor
            yield segment if is_ours else Segment(without_codes(segment.text), segment.style)
