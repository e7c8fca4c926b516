"""Loss and error rate of speech recognition against answers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suite.tasks import speech_recognition as task
from suite.tasks.batch import Batch
from suite.tasks.edit_distance import edit_distance
from suite.tasks.tokens import IGNORED

pytestmark = pytest.mark.heavy

WORDS = st.text(alphabet="ab", max_size=12)


def said(*transcripts: str) -> Batch:
    """A batch in which this is said."""
    rows = [task.labels_of(transcript) for transcript in transcripts]
    labels = [row + [IGNORED] * (task.LONGEST - len(row)) for row in rows]
    return Batch(
        inputs={},
        targets={
            "labels": torch.tensor(labels),
            "label_lengths": torch.tensor([len(row) for row in rows]),
        },
        num_samples=len(rows),
    )


def hearing(*transcripts: str, frames: int = 24) -> Tensor:
    """Logits that leave no doubt: every letter for one frame, a blank after it."""
    paths = torch.full((len(transcripts), frames), task.BLANK)
    for path, transcript in zip(paths, transcripts, strict=True):
        ids = task.labels_of(transcript)
        path[: 2 * len(ids) : 2] = torch.tensor(ids, dtype=torch.int64)
    return torch.nn.functional.one_hot(paths, len(task.LETTERS)) * 50.0


def error_rate(outputs: Tensor, batch: Batch) -> float:
    """The metric of one batch."""
    return task.summarize([task.judge([outputs], batch)])


class Fixed(torch.nn.Module):
    """A model that always says the same; its output is trained."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = torch.nn.Parameter(output.clone())

    def forward(self) -> tuple[Tensor]:
        return (self.output,)


def counted(one: str, other: str) -> int:
    """The edit distance by the textbook: the whole table, row by row."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        below = [i]
        for j, b in enumerate(other, 1):
            below.append(min(row[j] + 1, below[-1] + 1, row[j - 1] + (a != b)))
        row = below
    return row[-1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ab", "ba", 2)],
)
def test_an_edit_distance_is_worked_out_by_hand(one: str, other: str, expected: int) -> None:
    assert edit_distance(one, other) == expected
    assert edit_distance(list(one), tuple(other)) == expected


@given(WORDS, st.text(alphabet="abc", max_size=90))
def test_the_edit_distance_is_that_of_the_whole_table(one: str, other: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == counted(one, other)


@given(WORDS, WORDS, WORDS)
def test_a_detour_is_never_shorter(one: str, over: str, other: str) -> None:
    assert edit_distance(one, other) <= edit_distance(one, over) + edit_distance(over, other)


def test_what_is_heard_letter_by_letter_has_no_errors() -> None:
    words = ("ALL OF IT", "DON'T", "A")
    assert error_rate(hearing(*words), said(*words)) == 0.0


def test_errors_are_counted_per_letter_and_not_per_utterance() -> None:
    # one of 3 letters wrong, one of 1 missing: 2 of 4
    assert error_rate(hearing("CAT", ""), said("HAT", "I")) == 50.0
    parts = [
        task.judge([hearing("CAT")], said("HAT")),
        task.judge([hearing("")], said("I")),
    ]
    assert task.summarize(parts) == 50.0


def test_a_sign_that_is_no_letter_is_one_error() -> None:
    path = hearing("HAT")
    path[0, 1] = 0.0
    path[0, 1, task.LETTERS.index("</s>")] = 50.0
    assert error_rate(path, said("HAT")) == pytest.approx(100 / 3)


def test_spaces_around_the_text_are_not_heard() -> None:
    assert error_rate(hearing(" HAT  "), said("HAT")) == 0.0
    assert error_rate(hearing("  "), said("HAT")) == 100.0


def test_more_noise_than_speech_exceeds_everything() -> None:
    assert error_rate(hearing("HATS"), said("I")) == 400.0


def test_the_trivial_transcript_is_the_best_of_those_said() -> None:
    assert task.trivial([said("AA"), said("BB")]) == 50.0
    assert task.trivial([said("ABC", "DEF", "GHI")]) == pytest.approx(100 * 6 / 9)
    assert task.trivial([said("A", "BCDE")]) == pytest.approx(80.0)


def test_the_error_rate_of_no_letter_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        error_rate(hearing(""), said(""))


def test_the_loss_of_guessing_is_worked_out_by_hand() -> None:
    # 2 frames, letter A: the paths A-, -A and AA of 32 * 32, all as likely
    loss = task.loss(Fixed(torch.zeros(1, 2, 32)), said("A"))
    assert loss.item() == pytest.approx(-math.log(3 / 32**2))
    # AB in 2 frames: one path; per letter, so half of it
    loss = task.loss(Fixed(torch.zeros(1, 2, 32)), said("AB"))
    assert loss.item() == pytest.approx(math.log(32**2) / 2)


def test_the_loss_of_hearing_everything_is_nothing() -> None:
    assert task.loss(Fixed(hearing("ALL OF IT")), said("ALL OF IT")).item() < 1e-4


def test_a_transcript_longer_than_the_frames_shows_in_the_loss() -> None:
    assert task.loss(Fixed(torch.zeros(1, 2, 32)), said("ABC")).item() == math.inf


def test_the_loss_and_its_gradient_are_the_same_every_time() -> None:
    torch.manual_seed(0)
    logits = torch.randn(8, 49, 32)
    words = ("WE WILL", "JAZZ", "ALL OF IT", "A", "DON'T", "SEE", "ZERO", "")
    losses, gradients = [], []
    for _ in range(3):
        model = Fixed(logits)
        loss = task.loss(model, said(*words))
        loss.backward()
        losses.append(loss.detach())
        gradients.append(model.output.grad)
    assert all(torch.equal(losses[0], loss) for loss in losses)
    assert all(torch.equal(gradients[0], gradient) for gradient in gradients)


def test_learning_what_the_loss_says_makes_the_error_rate_zero() -> None:
    torch.manual_seed(0)
    model, told = Fixed(torch.randn(2, 12, 32)), said("SEE", "IT IS")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(model, told).backward()
        optimizer.step()
    kept = task.judge([model.output], told)
    assert not any(tensor.requires_grad for tensor in kept.values())
    assert task.summarize([kept]) == 0.0
