"""A run summarized: its records turned into the report model, without a measurement or a renderer."""
