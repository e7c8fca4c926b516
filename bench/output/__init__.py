"""Shared output of reports, pages and commands: console, JSON, Markdown, templates, display names."""
