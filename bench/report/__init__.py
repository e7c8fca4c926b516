"""Renderers of a report: terminal table, HTML, Markdown and JSON."""
