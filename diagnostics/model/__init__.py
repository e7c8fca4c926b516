"""Why a model file cannot be loaded, read from its bytes."""
