"""Worker side. Architectures of our own, where no library has them: plain `torch.nn.Module` classes."""
