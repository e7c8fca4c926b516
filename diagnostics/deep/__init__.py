"""The deep tier: imports and tiny operations, each in a process of its own."""
