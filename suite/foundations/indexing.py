"""Worker side. Indexing: every way to read and write a part of a tensor, against lists written by hand."""

from __future__ import annotations

import torch

from suite.foundations.answers import Evidence, exact, refused


def reading(device: str, dtype: torch.dtype) -> Evidence:
    """Check that slices, steps, negative indices, masks and index tensors select what their definition says."""
    x = torch.arange(12, device=device, dtype=dtype).view(3, 4)
    two = torch.tensor([2, 0], device=device)
    order = torch.tensor([[3, 0], [1, 1], [2, 3]], device=device)
    return (
        exact("row", x[1], [4, 5, 6, 7])
        | exact("last row", x[-1], [8, 9, 10, 11])
        | exact("slice", x[1:, :2], [[4, 5], [8, 9]])
        | exact("step", x[::2, 1::2], [[1, 3], [9, 11]])
        | exact("from the end", x[:, -2:], [[2, 3], [6, 7], [10, 11]])
        | exact("ellipsis and new axis", x[..., 0, None], [[0], [4], [8]])
        | exact("mask", x[x > 7], [8, 9, 10, 11])
        | exact("mask of rows", x[torch.tensor([True, False, True], device=device), 1], [1, 9])
        | exact("index rows", x[two], [[8, 9, 10, 11], [0, 1, 2, 3]])
        | exact("index pairs", x[two, torch.tensor([1, 3], device=device)], [9, 3])
        | exact(
            "index grid", x[two[:, None], torch.tensor([0, 3], device=device)], [[8, 11], [0, 3]]
        )
        | exact("negative index", x[torch.tensor([-1], device=device), 0], [8])
        | exact("index_select", x.index_select(1, two), [[2, 0], [6, 4], [10, 8]])
        | exact("gather", x.gather(1, order), [[3, 0], [5, 5], [10, 11]])
        | exact("take_along_dim", torch.take_along_dim(x, order, dim=1), [[3, 0], [5, 5], [10, 11]])
        | exact("take", x.take(torch.tensor([0, 5, -1], device=device)), [0, 5, 11])
        | exact("where", torch.where(x[0] > 1, x[0], -x[0]), [0, -1, 2, 3])
        | exact("nonzero", (x[1] > 5).nonzero(), [[2], [3]])
        | exact("flip", x[0].flip(0), [3, 2, 1, 0])
        | exact("roll", x[0].roll(1), [3, 0, 1, 2])
        | exact("diagonal", x.diagonal(), [0, 5, 10])
        | exact("unfold", x[0].unfold(0, 2, 1), [[0, 1], [1, 2], [2, 3]])
        | exact("embedding", torch.nn.functional.embedding(two, x), [[8, 9, 10, 11], [0, 1, 2, 3]])
        | refused("a row that is not there", IndexError, lambda: x[3])
        | refused("too many indices", IndexError, lambda: x[0, 0, 0])
    )


def writing(device: str, dtype: torch.dtype) -> Evidence:
    """Check that assignment, scatter and masked writes change only the selected elements; sums keep duplicates."""
    zeros = torch.zeros(2, 3, device=device, dtype=dtype)
    source = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], device=device, dtype=dtype)
    # Distinct in each row, then with a duplicate: 1 and 4 both go to column 0.
    distinct = torch.tensor([[2, 0, 1], [0, 1, 2]], device=device)
    meeting = torch.tensor([[0, 1, 0], [2, 2, 2]], device=device)
    rows = torch.tensor([0, 0, 1], device=device)
    x = torch.arange(6, device=device, dtype=dtype).view(2, 3)
    sliced, masked, placed = x.clone(), x.clone(), x.clone()
    sliced[:, 1:] = torch.tensor([7.0, 9.0], device=device, dtype=dtype)
    masked[masked > 3] = -1
    placed[torch.tensor([1, 0], device=device), torch.tensor([0, 2], device=device)] = source[0, :2]
    return (
        exact("slice", sliced, [[0, 7, 9], [3, 7, 9]])
        | exact("mask", masked, [[0, 1, 2], [3, -1, -1]])
        | exact("index pairs", placed, [[0, 1, 2], [1, 4, 5]])
        | exact("the source stays", x, [[0, 1, 2], [3, 4, 5]])
        | exact("scatter", zeros.scatter(1, distinct, source), [[2, 4, 1], [8, 16, 32]])
        | exact("scatter_add", zeros.scatter_add(1, meeting, source), [[5, 2, 0], [0, 0, 56]])
        | exact(
            "scatter_reduce",
            zeros.scatter_reduce(1, meeting, source, reduce="amax", include_self=False),
            [[4, 2, 0], [0, 0, 32]],
        )
        | exact("index_add", zeros[0].index_add(0, distinct[0], source[0]), [2, 4, 1])
        | exact(
            "index_put with duplicates",
            zeros.index_put((rows, rows), source[0], accumulate=True),
            [[3, 0, 0], [0, 4, 0]],
        )
        | exact("masked_fill", x.masked_fill(x < 2, 9), [[9, 9, 2], [3, 4, 5]])
        | exact("masked_scatter", zeros.masked_scatter(x > 3, source[0]), [[0, 0, 0], [0, 1, 2]])
        | exact("index_fill", x.index_fill(1, rows[2:], 0), [[0, 0, 2], [3, 0, 5]])
        | exact("one_hot", torch.nn.functional.one_hot(rows, 3), [[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    )
