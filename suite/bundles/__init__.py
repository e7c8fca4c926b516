"""Worker side. Bundles: a model as files and a few lines of Python that run it without this project."""
