"""The gate: two versions measured against each other in one job, and a verdict that a build can fail on."""
