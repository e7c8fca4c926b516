"""Worker side. Our own architectures where no library has them: plain `torch.nn.Module` classes."""
