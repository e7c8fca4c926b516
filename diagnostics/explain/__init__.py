"""Error text to cause and fix: tables of known messages and the search over them."""

from diagnostics.finding import Finding

__all__ = ["explain"]


def explain(text: str, *, source: str = "text", python: str = "python") -> list[Finding]:
    """Return what is known about the errors in a text, best first, root cause on top.

    `source` names the text in the evidence, `python` the interpreter that fix commands are
    written for. A text without known errors gives an empty list. Never raises for any text.
    """
    # The tables are loaded on the first call: the neighbours that import this package need none.
    from diagnostics.explain.explainer import explain as search

    return search(text, source=source, python=python)
