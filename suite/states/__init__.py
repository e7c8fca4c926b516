"""Worker side. States: the models that a stage produced, stored for the stages that start from them."""
