"""The tables of known messages, one file per area."""
