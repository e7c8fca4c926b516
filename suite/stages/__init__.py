"""Worker side. Steps of a model's life: build and export today."""
