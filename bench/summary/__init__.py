"""Summary of a run: converts its records into the report model, without measuring or rendering."""
