"""Dated tables of what was released for what: pairs, variants, drivers and GPU architectures."""
