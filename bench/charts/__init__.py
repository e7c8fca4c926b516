"""Charts: scales, axes and marks of the drawings that reports, history and gate place in their pages."""
