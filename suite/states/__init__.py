"""Worker side. States: what a stage made of a model, kept for the stages that start from it."""
