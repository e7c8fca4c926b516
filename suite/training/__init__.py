"""Worker side. Training: loaders, optimizers, schedules, the loop, checkpoints, and checks of a training's health."""
