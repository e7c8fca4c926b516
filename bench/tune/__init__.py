"""The chooser: which lane of a model to ship on this machine, with intervals, ties and quality."""
