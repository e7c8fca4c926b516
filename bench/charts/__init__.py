"""Charts: scales, axes and marks of the drawings in the pages of reports, history and gate."""
