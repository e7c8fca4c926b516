"""Every known-answer case holds here, and every one of them fails when what it asks about is broken."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import types
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.axes import DTYPES
from suite.cell import Cell
from suite.foundations.cases import CASES, PRELOAD, case_of
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

pytestmark = pytest.mark.heavy

ASKED = [(n, d) for n, case in CASES.items() for d in DTYPES if case.is_asked(dtype=d)]
HOLD = [(n, d) for n, d in ASKED if CASES[n].gap_for(device="cpu", dtype=d) is None]
GAPS = [pair for pair in ASKED if pair not in HOLD]
numbers = st.floats(-8, 8).map(lambda x: round(x, 3))


def ask(name, dtype="float32"):
    import torch

    module, _, function = CASES[name].runner.partition(":")
    return getattr(import_module(module), function)("cpu", getattr(torch, dtype))


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "dtype"), HOLD)
def test_the_case_holds_and_its_evidence_is_json(name, dtype):
    evidence = ask(name, dtype)
    assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence
    assert all({"expected", "got"} <= set(fact) for fact in evidence.values())


@pytest.mark.parametrize(("name", "dtype"), GAPS)
def test_what_is_declared_a_gap_does_not_hold(name, dtype):
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        ask(name, dtype)


def broken(patch, path, change):
    """Puts `change(original, *args, **kwargs)` in the place of what `path` names."""
    original = pkgutil.resolve_name(path)
    patch.setattr(path, lambda *args, **kwargs: change(original, *args, **kwargs))


def without(keyword):
    """A change that takes a keyword and does nothing with it."""

    def change(original, *args, **kwargs):
        kwargs.pop(keyword, None)
        return original(*args, **kwargs)

    return change


def always(**forced):
    """A change that takes no notice of what was asked in these keywords."""
    return lambda original, *args, **kwargs: original(*args, **{**kwargs, **forced})


def naive_variance(original, x, *args, **kwargs):
    return (x * x).mean() - x.mean() ** 2


def naive_softmax(original, x, dim):
    return x.exp() / x.exp().sum(dim, keepdim=True)


def uncorrected_adam(original, parameters, *, lr, betas, eps, **rest):
    state = [[p, 0.0, 0.0] for p in parameters]

    def step():
        import torch

        with torch.no_grad():
            for entry in state:
                p = entry[0]
                entry[1] = betas[0] * entry[1] + (1 - betas[0]) * p.grad
                entry[2] = betas[1] * entry[2] + (1 - betas[1]) * p.grad**2
                p -= lr * entry[1] / (entry[2].sqrt() + eps)

    return types.SimpleNamespace(step=step)


def undivided(original, module, inputs, targets, sizes):
    from torch.nn.functional import mse_loss

    total = 0.0
    for x, target in zip(inputs.split(list(sizes)), targets.split(list(sizes)), strict=True):
        loss = mse_loss(module(x), target)
        loss.backward()
        total += loss.item()
    return total


def each_by_itself(original, parameters, *args, **kwargs):
    norms = [original([p], *args, **kwargs) for p in parameters]
    return norms[0]


def with_half_its_slope(original, x):
    return x * x.sigmoid().detach()


def as_in_training(original, x, mean, var, weight, bias, training, *rest):
    return original(x, mean, var, weight, bias, True, *rest)


FUNCTIONAL, TENSOR, OPTIM = "torch.nn.functional.", "torch.Tensor.", "torch.optim."
BREAKS = {
    "creation": ("torch.linspace", lambda f, a, b, n, **k: f(a, b, n + 1, **k)[:-1]),
    "casting": (TENSOR + "__floordiv__", lambda f, a, b: a.div(b, rounding_mode="trunc")),
    "shapes": (TENSOR + "clone", lambda f, x: x),
    "broadcasting": (TENSOR + "expand", lambda f, x, *shape: f(x, *shape).contiguous()),
    "indexing": (TENSOR + "gather", lambda f, x, axis, index: f(x, axis, index.flip(1))),
    "writing": (TENSOR + "scatter_add", lambda f, x, *rest: x.scatter(*rest)),
    "seeds": ("torch.manual_seed", lambda f, seed: None),
    "distributions": ("torch.rand", lambda f, *a, **k: f(*a, **k) * 0.95),
    "determinism": ("torch.manual_seed", lambda f, seed: None),
    "reductions": (TENSOR + "var", always(correction=0)),
    "reduction_accuracy": (TENSOR + "sum", lambda f, x, *a: f(x.half(), *a).float()),
    "reduction_stability": (TENSOR + "var", naive_variance),
    "products": ("torch.bmm", lambda f, a, b: f(a[..., :-1], b[:, :-1])),
    # TF32 in secret: 11 bits of each factor, as float16 has them.
    "product_accuracy": (FUNCTIONAL + "linear", lambda f, x, w: f(x.half(), w.half()).float()),
    "activations": (FUNCTIONAL + "gelu", always(approximate="tanh")),
    "softmax": (TENSOR + "softmax", naive_softmax),
    "convolution": (FUNCTIONAL + "conv2d", without("dilation")),
    "pooling": (FUNCTIONAL + "avg_pool2d", always(count_include_pad=False)),
    "attention": (FUNCTIONAL + "scaled_dot_product_attention", always(scale=1.0)),
    "multihead_attention": ("torch.nn.MultiheadAttention.forward", without("key_padding_mask")),
    "batch_norm": (FUNCTIONAL + "batch_norm", as_in_training),
    "normalization": (FUNCTIONAL + "group_norm", lambda f, x, groups: f(x, 1)),
    "dropout": (FUNCTIONAL + "dropout", lambda f, x, p, *a, **k: f(x, p, *a, **k) * (1 - p)),
    "autograd": (TENSOR + "relu", lambda f, x: x * (x >= 0)),
    "tape": (TENSOR + "detach", lambda f, x: x),
    "gradients": (FUNCTIONAL + "silu", with_half_its_slope),
    "finite_differences": (FUNCTIONAL + "silu", with_half_its_slope),
    "mse": (FUNCTIONAL + "mse_loss", lambda f, x, y, **k: f(x, y, reduction="sum")),
    "cross_entropy": (FUNCTIONAL + "cross_entropy", without("label_smoothing")),
    "binary_cross_entropy": (
        FUNCTIONAL + "binary_cross_entropy_with_logits",
        without("pos_weight"),
    ),
    "penalties": (OPTIM + "SGD", without("weight_decay")),
    "sgd": (OPTIM + "SGD", without("weight_decay")),
    "momentum": (OPTIM + "SGD", without("nesterov")),
    "adam": (OPTIM + "Adam", uncorrected_adam),
    "adamw": (OPTIM + "AdamW", lambda f, *a, **k: __import__("torch").optim.Adam(*a, **k)),
    "rmsprop": (OPTIM + "RMSprop", without("centered")),
    "adagrad": (OPTIM + "Adagrad", without("initial_accumulator_value")),
    "clipping": ("torch.nn.utils.clip_grad_norm_", each_by_itself),
    "accumulation": ("suite.foundations.accumulation.accumulate", undivided),
    "schedules": (OPTIM + "lr_scheduler.CosineAnnealingLR", without("eta_min")),
    "warm_up": (OPTIM + "lr_scheduler.LinearLR", without("start_factor")),
    "plateau": (OPTIM + "lr_scheduler.ReduceLROnPlateau", always(patience=3)),
    "autocast": ("torch.autocast", lambda f, kind, **k: f(kind, enabled=False)),
    "loss_scaling": ("torch.amp.GradScaler.update", lambda f, self: f(self, self.get_scale())),
}
"""Case -> what is broken, and how."""
IN_HALF = (
    *("adam", "adamw", "momentum", "rmsprop", "adagrad", "clipping", "accumulation", "dropout"),
    *("attention", "batch_norm", "cross_entropy", "convolution", "softmax", "gradients"),
)
"""Cases whose break is also looked for in the half types, where the tolerance is wide."""


def test_every_case_has_a_break():
    assert set(BREAKS) == set(CASES)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(n, "float32") for n in BREAKS] + [(n, d) for n in IN_HALF for d in ("bfloat16", "float16")],
)
def test_a_case_fails_when_what_it_asks_about_is_broken(name, dtype, monkeypatch):
    from suite.foundations.answers import FoundationError

    broken(monkeypatch, *BREAKS[name])
    with pytest.raises(FoundationError, match=r"expected .*got "):
        ask(name, dtype)


def test_the_error_says_what_was_expected_what_came_and_where():
    import torch

    from suite.foundations.answers import FoundationError, close, exact

    with pytest.raises(FoundationError) as caught:
        exact("sum", torch.tensor([[1.0, 2.5]]), [[1, 2]])
    assert str(caught.value) == (
        "sum: expected 2.0 with an error up to 0, got 2.5 at [0, 1]; 1 of 2 values are off (float32 on cpu)"
    )
    for got, expected in (
        ([1.0], [[1.0]]),  # another shape
        ([], []),  # nothing to compare
        ([float("nan")], [1.0]),
        ([1.0], [float("nan")]),
        ([float("inf")], [1.0]),
        ([1.0], [float("inf")]),
        ([float("-inf")], [float("inf")]),
    ):
        with pytest.raises(FoundationError, match="expected"):
            close("it", torch.tensor(got), expected, roundings=8)


def test_equal_numbers_that_are_no_numbers_are_equal():
    import torch

    from suite.foundations.answers import close, exact

    ends = [float("nan"), float("inf"), -float("inf")]
    assert exact("ends", torch.tensor(ends), ends)["ends"]["values"] == 3
    assert close("ends", torch.tensor(ends), ends, roundings=1)["ends"]["error"] == 0


def test_what_should_be_refused_must_be():
    from suite.foundations.answers import FoundationError, between, refused, same

    with pytest.raises(FoundationError, match="expected ValueError, got no error"):
        refused("it", ValueError, lambda: None)
    with pytest.raises(ZeroDivisionError):
        refused("it", ValueError, lambda: 1 / 0)
    with pytest.raises(FoundationError, match="expected 1 to 2, got nan"):
        between("it", float("nan"), 1, 2)
    with pytest.raises(FoundationError, match=r"expected \[1, 2\], got \[1, 3\]"):
        same("it", (1, 3), (1, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@given(value=st.floats(0.01, 1000), roundings=st.floats(1, 50), sign=st.sampled_from([-1, 1]))
@settings(max_examples=50, deadline=None)
def test_close_draws_its_line_at_so_many_roundings(dtype, value, roundings, sign):
    import torch

    from suite.foundations.answers import FoundationError, close, roundoff

    got = torch.tensor(value).to(getattr(torch, dtype))
    bound = roundings * roundoff(got.dtype)
    # expected = got / (1 + f bound) is off by f bound |expected|.
    close("it", got, got.item() / (1 + sign * 0.99 * bound), roundings=roundings)
    with pytest.raises(FoundationError):
        close("it", got, got.item() / (1 + sign * 1.05 * bound), roundings=roundings)


@given(
    start=numbers,
    slopes=st.lists(numbers.filter(lambda x: abs(x) > 0.01), min_size=1, max_size=5),
    lr=st.floats(0.001, 0.5),
    beta=st.floats(0.0, 0.99),
    eps=st.floats(1e-8, 0.5),
    decay=st.floats(0.0, 0.5),
    flag=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_optimizers_formulas_hold_for_any_rates(start, slopes, lr, beta, eps, decay, flag):
    import torch

    from suite.foundations import optimizers

    betas = (beta, 1 - (1 - beta) / 4)
    nesterov = flag and beta > 0
    pairs = [
        (
            torch.optim.SGD,
            {"lr": lr, "momentum": beta, "nesterov": nesterov, "weight_decay": decay},
            optimizers.sgd(lr=lr, momentum=beta, nesterov=nesterov, decay=decay),
        ),
        (
            torch.optim.AdamW if flag else torch.optim.Adam,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay},
            optimizers.adam(lr=lr, betas=betas, eps=eps, decay=decay, is_decoupled=flag),
        ),
        (
            torch.optim.RMSprop,
            {"lr": lr, "alpha": beta, "eps": eps, "momentum": decay},
            optimizers.rmsprop(lr=lr, alpha=beta, eps=eps, momentum=decay),
        ),
        (
            torch.optim.Adagrad,
            {"lr": lr, "eps": eps, "lr_decay": decay, "initial_accumulator_value": beta},
            optimizers.adagrad(lr=lr, eps=eps, lr_decay=decay, start=beta),
        ),
    ]
    for make, asked, formula in pairs:
        weight = torch.nn.Parameter(torch.tensor([start], dtype=torch.float64))
        optimizer = make([weight], **asked)
        taken = []
        for slope in slopes:
            weight.grad = torch.tensor([slope], dtype=torch.float64)
            optimizer.step()
            taken.append(weight.item())
        assert taken == pytest.approx(formula(start, slopes), rel=1e-9, abs=1e-9)


@given(
    logits=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=5),
    data=st.data(),
    smoothing=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_cross_entropy_written_out_is_that_of_the_library(logits, data, smoothing):
    import torch

    from suite.foundations.losses import cross_entropy_of

    labels = data.draw(
        st.lists(st.integers(0, 2), min_size=len(logits), max_size=len(logits)).filter(
            lambda found: set(found) != {1}
        )
    )
    weights = [0.5, 1.0, 2.0]
    got = torch.nn.functional.cross_entropy(
        torch.tensor(logits, dtype=torch.float64),
        torch.tensor(labels),
        weight=torch.tensor(weights, dtype=torch.float64),
        label_smoothing=smoothing,
        ignore_index=1,
    )
    expected = cross_entropy_of(logits, labels, weights=weights, smoothing=smoothing, ignored=1)
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 4]),
    side=st.integers(5, 7),
)
@settings(max_examples=20, deadline=None)
def test_convolution_written_out_is_that_of_the_library(stride, padding, dilation, groups, side):
    import torch

    from suite.foundations.convolution import convolved
    from suite.foundations.samples import array, normal

    setting = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = normal(1, 4, side, side, seed=1, device="cpu", dtype=torch.float64)
    weight = normal(4, 4 // groups, 3, 3, seed=2, device="cpu", dtype=torch.float64)
    got = torch.nn.functional.conv2d(x, weight, **setting)
    assert convolved(array(x), array(weight), **setting) == pytest.approx(array(got), abs=1e-12)


@given(total=st.integers(2, 40), high=st.floats(0.01, 1), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_cosine_schedule_is_its_closed_form_for_any_length(total, high, share):
    from torch.optim.lr_scheduler import CosineAnnealingLR

    from suite.foundations.schedules import cosine, rates

    low = share * high
    found = rates(lambda o: CosineAnnealingLR(o, total, low), steps=total, device="cpu", base=high)
    known = [cosine(step, total, high=high, low=low) for step in range(total + 1)]
    assert found == pytest.approx(known, rel=1e-9, abs=1e-12)


@given(rate=st.floats(0.05, 0.95), count=st.integers(1000, 1 << 16))
@settings(max_examples=100, deadline=None)
def test_a_right_dropout_leaves_the_range_once_in_millions_and_a_wrong_one_does_not_fit(
    rate, count
):
    from scipy.stats import binom

    from suite.foundations.dropout import dropped_range

    low, high = dropped_range(rate, count)
    outside = binom.cdf(low * count, count, rate) + binom.sf(high * count, count, rate)
    assert outside < 1e-6
    assert high - low < 0.2


def job(case, device="cpu", dtype="float32"):
    cell = Cell(model="foundations", size="tiny", device=device, dtype=dtype)
    return CellJob(
        runner="suite.foundations.run:run",
        cell=cell,
        options=JobOptions.from_dict({"case": case, "threads": 1}),
    )


def run(job):
    from suite.foundations.run import run as run_case

    said = []
    return run_case(job, lambda kind, **data: said.append((kind, data["name"]))), said


def test_a_run_gives_the_evidence_and_its_meaning():
    result, said = run(job("adam"))
    assert result.result.meaning == CASES["adam"].meaning
    assert len(result.result.evidence) == 27
    assert said == [("phase", "import"), ("phase", "answers")]


def test_a_gap_is_unsupported_with_its_reason_and_link():
    from suite.worker.errors import Unsupported

    with pytest.raises(Unsupported, match=r"loss_scaling in float16 on cpu: .*issues/74739"):
        run(job("loss_scaling", dtype="float16"))


def test_a_device_that_is_not_there_is_unavailable():
    from suite.worker.errors import Unavailable

    with pytest.raises(Unavailable, match="device cuda:77"):
        run(job("adam", device="cuda:77"))


def test_a_case_that_gives_no_evidence_fails(monkeypatch):
    monkeypatch.setattr("suite.foundations.penalties.penalties", lambda device, dtype: {})
    with pytest.raises(AssertionError, match="penalties: the case gave no evidence"):
        run(job("penalties"))


def test_an_unknown_case_names_its_neighbour():
    with pytest.raises(ValueError, match=r"case 'adan' is unknown; did you mean adam"):
        case_of("adan")


def test_gaps_name_device_and_dtype():
    case = CASES["loss_scaling"]
    assert case.gap_for(device="cpu", dtype="bfloat16") is None
    assert case.gap_for(device="cuda:1", dtype="bfloat16") is not None
    assert case.gap_for(device="cuda", dtype="float32") is None
    assert all(gap.kind == "unsupported" for c in CASES.values() for gap in c.gaps)


def test_what_has_nothing_to_do_with_the_dtype_is_asked_once():
    once = [n for n, case in CASES.items() if case.dtypes == ("float32",)]
    assert once == ["schedules", "warm_up", "plateau"]


def test_the_table_imports_no_heavy_library():
    script = "import suite.foundations.cases, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"torch", "numpy"} & set(done.stdout.split())


@pytest.mark.slow
def test_cases_run_in_fresh_processes_of_a_launcher_that_stays_fit_to_fork():
    from suite.outcome import Outcome
    from suite.results.foundations import FoundationResult
    from suite.worker.client import Launcher

    launcher = Launcher(preload=PRELOAD)
    try:
        ready = launcher.wait_until_ready()
        assert (ready["num_threads"], ready["failed"]) == (1, {})
        for name in ("products", "adam", "finite_differences"):
            answer = launcher.run(job(name))
            assert answer.outcome is Outcome.PASSED, answer.failure
            assert answer.read(FoundationResult).evidence
        answer = launcher.run(job("finite_differences", dtype="bfloat16"))
        assert answer.outcome is Outcome.UNSUPPORTED
    finally:
        launcher.close()
