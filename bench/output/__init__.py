"""What every report, page and command prints with: console, JSON, Markdown, templates, names in words."""
