"""Runners for the test of multiply-accumulates: what PyTorch counts, and what our count of the graph needs."""

from pathlib import Path

from bench.onnx_graph.observed import shapes_of_a_run
from bench.onnx_graph.read import read
from suite.built_model import subject_for
from suite.flat_tensors import flatten_inputs
from suite.macs import count_macs


def macs(job, emit):
    """facts: `module` by PyTorch's counter, `graph` by ours, `uncounted` nodes, for the same batch."""
    subject = subject_for(job, emit)
    module, inputs = subject.module, subject.batch.inputs
    flat = {name: tensor.numpy() for name, tensor in flatten_inputs(inputs).items()}
    path = Path(job.options.output)
    sizes = {
        dim: int(extent)
        for v in read(path).inputs
        for dim, extent in zip(v.shape, flat[v.name].shape, strict=True)
        if isinstance(dim, str)
    }
    graph = read(path, sizes=sizes)
    depends_on_data = graph.num_uncounted > 0
    if depends_on_data:
        feeds = {value.name: flat[value.name] for value in graph.inputs}
        graph = read(path, sizes=sizes, shapes=shapes_of_a_run(path, feeds))
    return {
        "facts": {
            "module": count_macs(module, lambda: module(**inputs)),
            "graph": graph.macs,
            "uncounted": graph.num_uncounted,
            "depends_on_data": depends_on_data,
        }
    }
