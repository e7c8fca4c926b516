"""Worker side, except `case` and `cases`. Known-answer tests of the operations that models rely on, per device and
dtype.
"""
