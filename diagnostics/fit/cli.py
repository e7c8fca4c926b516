"""The command `fit MODEL`."""

from __future__ import annotations

import argparse
import json
import sys

from diagnostics.control_codes import without_codes
from diagnostics.explain.output import USAGE
from diagnostics.fit.answer import Answer, Verdict, answer
from diagnostics.fit.cards import Card, UnknownCard, found, named
from diagnostics.fit.document import document, lines
from diagnostics.fit.memory import BITS, OPTIMIZERS, Use
from diagnostics.fit.shape import Model
from diagnostics.fit.source import Unreadable, read

CANNOT_TELL = 4
ATTENTIONS = ("sdpa", "eager")


def main(arguments: list[str]) -> int:
    """Say whether a model fits: 0 it does, 1 it does not, 2 usage, 4 cannot tell."""
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return USAGE if stop.code else 0
    try:
        answers = ask(
            options.model,
            gpu=options.gpu,
            training=options.training,
            dtype=options.dtype,
            cache_dtype=options.cache_dtype,
            context=options.context,
            batch=options.batch,
            attention=options.attention,
            optimizer=options.optimizer,
            trainable=options.trainable,
            checkpointing=options.checkpointing,
        )
    except (Unreadable, UnknownCard, ValueError) as error:
        print(f"python -m diagnostics fit: {error}", file=sys.stderr)
        return USAGE
    code = exit_code(answers)
    if options.json:
        print(json.dumps(document(answers, code), indent=1))
        return code
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    for row in map(without_codes, lines(answers, unicode=unicode)):
        print(row if unicode else row.encode("ascii", "replace").decode())
    return code


def ask(
    target: str,
    *,
    gpu: str | None = None,
    training: bool = False,
    dtype: str | None = None,
    cache_dtype: str | None = None,
    context: int | None = None,
    batch: int = 1,
    attention: str = "sdpa",
    optimizer: str = "adamw",
    trainable: float = 1.0,
    checkpointing: bool = False,
) -> tuple[Answer, ...]:
    """Return one answer per card: the named one, else those of this machine, else one without a card.

    Raises Unreadable, UnknownCard, or ValueError for a use that makes no sense.
    """
    model = read(target)
    if batch < 1 or (context is not None and context < 1):
        raise ValueError("--batch and --context: expected a whole number of at least 1")
    if not 0 < trainable <= 1:
        raise ValueError(f"--trainable {trainable:g}: expected a share above 0 and at most 1")
    use = Use(
        training=training,
        dtype=dtype or _usual_dtype(model, training=training),
        cache_dtype=cache_dtype or "",
        context=context or _usual_context(model),
        batch=batch,
        attention=attention,
        optimizer=optimizer,
        trainable=trainable,
        checkpointing=checkpointing,
    )
    for option, value, known in (
        ("--dtype", use.dtype, (*BITS, "mixed")),
        ("--cache-dtype", use.cache_dtype, ("", *BITS)),
        ("--attention", use.attention, ATTENTIONS),
        ("--optimizer", use.optimizer, OPTIMIZERS),
    ):
        if value not in known:
            raise ValueError(
                f"{option} {value!r}: expected one of {', '.join(filter(None, known))}"
            )
    if use.dtype == "mixed" and not training:
        raise ValueError("--dtype mixed goes with --training")
    if training and use.dtype in ("int4", "int8", "float8") and trainable == 1:
        raise ValueError(
            f"--dtype {use.dtype} cannot be trained itself: add --trainable 0.01 for adapters"
        )
    cards: tuple[Card | None, ...] = (named(gpu),) if gpu else (*found(),) or (None,)
    return tuple(answer(model, use, card) for card in cards)


def _usual_dtype(model: Model, *, training: bool) -> str:
    if training:
        return "mixed"
    return model.stored_dtype if model.stored_dtype in BITS else "bfloat16"


def _usual_context(model: Model) -> int:
    """2,048 tokens, or as many as the model was made for where that is less."""
    longest = model.transformer.positions if model.transformer else 0
    return min(2048, longest) if longest else 2048


def exit_code(answers: tuple[Answer, ...]) -> int:
    """Return 0 where it fits one of the cards, 1 where it fits none, 4 where nobody can tell."""
    verdicts = {item.verdict for item in answers}
    if Verdict.FITS in verdicts:
        return 0
    return 1 if verdicts == {Verdict.TOO_LARGE} else CANNOT_TELL


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m diagnostics fit",
        description="Whether a model fits a card: weights, activations, key-value cache, gradients and optimizer "
        "states. Nothing is loaded: the shape is read from the model's files.",
    )
    add = parser.add_argument
    add("model", help="config.json, a .safetensors or .onnx file, a folder, or a number such as 7B")
    add(
        "--gpu",
        metavar="NAME|GB",
        help="a card, such as 'RTX 4090' or 24; else those of this machine",
    )
    add(
        "--training",
        action="store_true",
        help="gradients, optimizer states, all layers' activations",
    )
    add(
        "--dtype",
        choices=(*BITS, "mixed"),
        help="of the weights; else the model's own, or mixed for training",
    )
    add(
        "--cache-dtype",
        choices=tuple(BITS),
        help="of the key-value cache; else that of the activations",
    )
    add("--context", type=int, metavar="TOKENS", help="tokens per sequence, 2048 where not said")
    add("--batch", type=int, default=1, metavar="N", help="sequences at a time")
    add(
        "--attention",
        choices=ATTENTIONS,
        default="sdpa",
        help="eager holds the scores of all pairs",
    )
    add("--optimizer", choices=tuple(OPTIMIZERS), default="adamw")
    add(
        "--trainable",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="share of the parameters that is trained",
    )
    add(
        "--checkpointing",
        action="store_true",
        help="activations are computed again in the backward pass",
    )
    add("--json", action="store_true", help="the answer as JSON")
    return parser
