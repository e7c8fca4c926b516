"""Collectors: the only place of the doctor that reads files, asks the kernel or starts a process."""
