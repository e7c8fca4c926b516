"""Records of a run that stay on disk and are read when they are asked for: memory does not grow with the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from suite.cell import Cell
from suite.record import Record, record_from_dict
from suite.runs.store import RunFolder

MOST_RECENT: Final = 64
"""Records that are held as they are; those of a unit are asked for soon after they came."""


@dataclass(slots=True)
class StoredRecords(MutableMapping[str, Record]):
    """Key -> record, as a dict of them. A record that is set has to be appended to the folder's file, as
    `Session.keep` does.
    """

    folder: RunFolder
    places: dict[str, int] = field(default_factory=dict)
    """Key -> offset of its line, the last one with that key."""
    recent: dict[str, Record] = field(default_factory=dict)
    """Records that may not be in the file yet."""
    num_bytes: int = 0
    """Bytes of the file that `places` covers."""

    @classmethod
    def of(cls, folder: RunFolder, keys: Iterable[str]) -> StoredRecords:
        """Return those of the file's records that have these keys: a resumed run takes no others as done."""
        found = cls(folder)
        found._index()
        wanted = set(keys)
        found.places = {key: place for key, place in found.places.items() if key in wanted}
        return found

    def __getitem__(self, key: str) -> Record:
        if key in self.recent:
            return self.recent[key]
        with self.folder.records_file.open("rb") as file:
            file.seek(self.places[key])
            return record_from_dict(json.loads(file.readline()))

    def __setitem__(self, key: str, record: Record) -> None:
        if len(self.recent) >= MOST_RECENT:
            self._index()
            self.recent = {k: r for k, r in self.recent.items() if k not in self.places}
        self.recent[key] = record

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.recent.pop(key, None)
        self.places.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self.recent or key in self.places

    def __iter__(self) -> Iterator[str]:
        yield from [*self.places, *(key for key in self.recent if key not in self.places)]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _index(self) -> None:
        """Find the lines that were appended since the last time."""
        try:
            file = self.folder.records_file.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self.num_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                try:
                    data = json.loads(line)
                    key = f"{Cell(**data['cell']).id}/{data['step']}"
                except (ValueError, TypeError, KeyError, RecursionError):
                    pass  # damaged, as `load_run` tells
                else:
                    self.places[key] = self.num_bytes
                self.num_bytes += len(line)
