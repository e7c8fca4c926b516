"""The engine of a run: cells and steps become jobs, answers become records, records get an outcome."""
