"""The anatomy of a run's graphs: what they hold, how their numbers spread, where their time goes; made after a run."""
