"""Says whether a model fits a card: weights, activations and key-value cache against its memory."""
