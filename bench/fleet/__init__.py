"""A fleet: the cells of one benchmark on many machines, by Ray; one run and one page per kind of machine."""
