"""Pictures of models drawn by Netron in a headless browser that many pictures share."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.netron.blocks import blocks_of, steps_of_graph
from bench.netron.devtools import Browser, find_browser
from bench.netron.errors import (
    DEADLINE,
    BrowserFailed,
    NotDrawn,
    PictureError,
    PictureTimedOut,
)
from bench.netron.finish import finish
from bench.netron.program import program_of, steps_of_program
from bench.netron.server import Answer, Server
from bench.netron.site import netron_files, netron_folder, page_for
from bench.onnx_graph.read import parsed
from bench.onnx_graph.skeleton import skeleton_of

CAPTURE: Final = Path(__file__).with_name("capture.js")
MOST_NODES: Final = 5000
"""Maximum number of nodes for a full drawing; beyond it blocks are drawn, because layout takes minutes (netron#1212)
and the drawing is unreadable.
"""
BINARY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and its content."""

    svg: str
    width: int
    height: int
    """Natural height in pixels."""
    num_nodes: int
    """Number of nodes in the model's main graph."""
    is_summary: bool
    """Whether blocks by module replace the nodes, because there are too many."""
    names: frozenset[str]
    """Names of the nodes that have an id in it."""
    seconds: float


def picture(
    model: Path,
    *,
    colours: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    deadline: float = DEADLINE,
) -> str:
    """Return Netron's drawing of an .onnx or .pt2 file as one self-contained SVG element.

    `colours`: node's name -> #rrggbb (`bench.onnx_graph.keys` for nodes without one); None keeps Netron's own. `notes`:
    node's name -> text of its tooltip. `deadline`: seconds. Over 5,000 nodes the drawing shows blocks by module. Raises
    BrowserMissing without a browser, GraphError for an ONNX file that cannot be read, another PictureError for all
    else. For several pictures: Studio.
    """
    with Studio() as studio:
        return studio.take(model, colours=colours, notes=notes, deadline=deadline).svg


class Studio:
    """A browser and a server for any number of pictures; a context manager.

    Raises BrowserMissing or PictureError if drawing is impossible. The browser starts with the first picture, and again
    after a picture that crashed it.
    """

    def __init__(self) -> None:
        self._program = find_browser()
        self._folder = netron_folder()
        self._script = CAPTURE.read_text(encoding="utf-8")
        self._browser: Browser | None = None
        self._session = ""
        self._number = 0
        self._server = Server(netron_files(self._folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and the server; may be called twice."""
        self._end_browser()
        self._server.close()

    def take(
        self,
        model: Path,
        *,
        colours: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
        prefix: str = "",
        title: str = "",
        deadline: float = DEADLINE,
        most_nodes: int = MOST_NODES,
        block_colours: Mapping[str, str] | None = None,
    ) -> Picture:
        """Return the picture; see `picture`. `prefix` is put before every id, for several pictures in one page.

        Over `most_nodes` it shows blocks by module, coloured by `block_colours` (block's name -> #rrggbb).
        """
        began = time.monotonic()
        until = began + deadline
        body, num_nodes, is_summary = _served(model, most_nodes)
        try:
            # Blocks are an ONNX graph, whatever the original format.
            suffix = ".onnx" if is_summary else model.suffix.lower()
            drawn = self._draw(body, suffix, until, with_attributes=is_summary)
        except PictureError as error:
            self._end_browser()
            if isinstance(error, PictureTimedOut):
                raise PictureTimedOut(
                    f"{model}: no picture within {deadline:g} s ({error}); expected"
                    f" {'a second or two' if num_nodes < 500 else 'up to a minute'} for"
                    f" {num_nodes:,} nodes."
                    " Next: give it more time, or look at it with: netron FILE"
                ) from error
            raise type(error)(f"{model}: {error}") from error
        except BaseException:
            self._end_browser()
            raise
        if "error" in drawn:
            raise NotDrawn(
                f"{model}: Netron cannot show it ({drawn['error'].strip()[:500]}); expected an ONNX"
                f" model or a torch.export program. Next: python -m diagnostics model {model}"
            )
        finished = finish(
            drawn["svg"],
            drawn["rules"],
            colours=block_colours if is_summary else colours,
            notes=notes,
            prefix=prefix,
            title=title or model.name,
        )
        return Picture(
            svg=finished.svg,
            width=finished.width,
            height=finished.height,
            num_nodes=num_nodes,
            is_summary=is_summary,
            names=finished.names,
            seconds=time.monotonic() - began,
        )

    def _draw(self, body: bytes, suffix: str, until: float, *, with_attributes: bool) -> Any:
        self._number += 1
        # Our own names: file names may contain anything.
        file, page = f"{self._number}/model{suffix}", f"{self._number}.html"
        answers = self._server.answers
        answers[file] = Answer(kind=BINARY, body=body)
        answers[page] = page_for(self._folder, file=file, identifier=f"model{suffix}")
        try:
            browser = self._ready(until)
            options = json.dumps(json.dumps({"attributes": with_attributes}))
            script = browser.call(
                "Page.addScriptToEvaluateOnNewDocument",
                {"source": f"localStorage.setItem('options', {options})"},
                session=self._session,
                deadline=until,
            )
            went = browser.call(
                "Page.navigate",
                {"url": self._server.address + page},
                session=self._session,
                deadline=until,
            )
            if went.get("errorText"):
                raise BrowserFailed(f"the browser could not open our page: {went['errorText']}")
            drawn = browser.evaluate(self._session, f"({self._script.strip()})()", deadline=until)
            browser.call(
                "Page.removeScriptToEvaluateOnNewDocument",
                script,
                session=self._session,
                deadline=until,
            )
            return drawn
        finally:
            del answers[file], answers[page]

    def _ready(self, until: float) -> Browser:
        if self._browser is None:
            self._browser = Browser(self._program, deadline=until)
            self._session = self._browser.page(deadline=until)
            self._browser.call("Page.enable", session=self._session, deadline=until)
        self._browser.events.clear()
        return self._browser

    def _end_browser(self) -> None:
        if self._browser is not None:
            self._browser.close()
            self._browser = None


def _served(model: Path, most_nodes: int) -> tuple[bytes, int, bool]:
    """Return (bytes for Netron, number of nodes, whether they are blocks): the model without its weights."""
    match model.suffix.lower():
        case ".onnx":
            skeleton = skeleton_of(model)
            num_nodes = len(skeleton.keys)
            if num_nodes > most_nodes:
                return blocks_of(steps_of_graph(model, skeleton)), num_nodes, True
            if skeleton.has_functions or skeleton.has_long_names:
                # As in the comparison, functions are inlined at their calls.
                return shortened(parsed(model, skeleton)).SerializeToString(), num_nodes, False
            return skeleton.data, num_nodes, False
        case ".pt2":
            data, num_nodes = program_of(model)
            if num_nodes > most_nodes:
                return blocks_of(steps_of_program(model)), num_nodes, True
            return data, num_nodes, False
    raise NotDrawn(
        f"{model}: expected a file that ends in .onnx or .pt2, got {model.suffix or 'no ending'}."
        " Next: export the model first"
    )


# Shortening of input and output names: Netron makes a box as wide as its names.

LONGEST: Final = 60
"""Maximum length in characters."""


def shortened(model: Any) -> Any:
    """Shorten long names of inputs, outputs and axes of the ModelProto in place and return it; names stay unique."""
    graph = model.graph
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    renamed: dict[str, str] = {}
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if len(dim.dim_param) > LONGEST:
                dim.dim_param = _cut(dim.dim_param, set())
        if len(value.name) > LONGEST and value.name not in renamed:
            renamed[value.name] = _cut(value.name, taken)
            taken.add(renamed[value.name])
    if not renamed:
        return model
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = renamed.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name in renamed:
                    names[place] = renamed[name]
    return model


def _cut(name: str, taken: set[str]) -> str:
    half = LONGEST // 2 - 4
    cut = f"{name[:half]}…{name[-half:]}"
    number = 1
    while cut in taken:
        number += 1
        cut = f"{name[:half]}…{number}…{name[-half:]}"
    return cut
