"""How fast, how big, how cold: metrics, statistics and reports."""
