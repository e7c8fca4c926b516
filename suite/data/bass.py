"""Embedded data set `bass`: a second voice for the synthetic speech, deeper, with overtones and other words."""

from __future__ import annotations

from functools import cache
from typing import Final

from suite.data.samples import Dataset, Speech
from suite.data.speech import Utterances, Voice

WORDS: Final = tuple(
    "about across after again air all also animal answer any around ask away before began begin below best better big"
    " bird black blue boat body book both boy bring build call came car carry cause change city close cold come could"
    " country cross cut dark deep did door down draw dry earth east eat even eye face fact fall far farm fast father"
    " few fire fish five food foot four full game girl gold gone grew ground grow half head heat high home horse hot"
    " house ice island joy king lake large late laugh law lay learn left less letter light line list live love low map"
    " mind moon most mother mountain move much music near need next night north note number old only ox page paper"
    " plan plant quiet rain red river road rock room round sea seven ship six size sky sleep slow small snow"
    " song south star stone sun sure ten's that's tree who's wind wood young".upper().split()
)

VOICE: Final = Voice(
    words=WORDS,
    lowest=290.0,
    step=1.13,
    columns=(1160.0, 1540.0, 2020.0),
    overtone=0.3,
    seed=1,
)
"""Every pitch is below the first voice's by as much as that voice's pitch varies, so transfer from the first task
helps: trained from scratch, a small recognizer learns nothing in thirty steps."""


@cache
def load(root: str, split: str) -> Dataset[Speech]:
    """Return the utterances of `split`; `root` is unused. Raise ValueError for an unknown split."""
    del root
    return Utterances(split, VOICE)
