"""Worker side. Stage `parallel`: the same training on several processes, through torchrun."""
