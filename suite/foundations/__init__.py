"""Worker side, but for `case` and `cases`. Known answers to what every model rests on, per device and dtype."""
