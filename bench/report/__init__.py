"""The same records shown as terminal table, HTML, Markdown and JSON."""
