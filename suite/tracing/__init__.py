"""Worker side. Tracing of a module by torch.export: its flat form, its dynamic axes, and what stands in the way."""
