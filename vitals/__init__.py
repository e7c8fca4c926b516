"""One door to everything: the command `vitals`, and `pytest -p vitals` for the tests of your own models.

This file imports nothing, because the doctor behind it has to start where nothing else does.
"""

pytest_plugins = ("vitals.fixture",)
"""What `pytest -p vitals` loads."""
