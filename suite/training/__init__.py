"""Worker side. Training: loaders, optimizers, schedules, the loop, checkpoints, and what is wrong with a training."""
