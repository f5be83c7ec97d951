"""The JSON document of `diagnose --json`; its schema is `docs/diagnose.schema.json`.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.diagnosis import ci_gate
from keras_rectifiers.diagnosis.ci_gate import Gate
from keras_rectifiers.diagnosis.ci_gate import Judgement
from keras_rectifiers.json_values import plain

#: Number of the form; it rises where a reader of the last one could not read it.
FORMAT = 1

#: The outcomes, the one that counts most first.
_ORDER = (ci_gate.ERROR, ci_gate.FAILED, ci_gate.PASSED, ci_gate.NONE)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model of the document."""

    #: Its path, as it was given.
    file: str
    judgement: Judgement
    #: Its `Diagnosis`; None where there is none.
    diagnosis: Any = None
    #: Its `Explanation`, where one was asked for.
    explanation: Any = None

    @classmethod
    def of_error(cls, file: str, sentence: str) -> Entry:
        """A model that could not be diagnosed.

        Args:
            file: Its path.
            sentence: What is wrong.
        """
        return cls(file, Judgement(ci_gate.ERROR, (sentence,)))

    def to_dict(self, *, rows: bool) -> dict[str, Any]:
        """The model as plain data.

        Args:
            rows: Whether to add one object for each unit.
        """
        found = self.diagnosis
        data: dict[str, Any] = {
            "file": self.file,
            "outcome": self.judgement.outcome,
            "reasons": list(self.judgement.reasons),
            "summary": None if found is None else found.summary(),
        }
        if self.explanation is not None:
            data["explanation"] = self.explanation.to_dict()
        if rows and found is not None:
            data["rows"] = found.rows
        return data


def outcome(entries: Sequence[Entry]) -> str:
    """The outcome of all models together: error, else failed, else passed, else none.

    Args:
        entries: At least one.
    """
    return min((each.judgement.outcome for each in entries), key=_ORDER.index)


def document(
    entries: Sequence[Entry], asked: Gate, *, data: str, criterion: str, rows: bool
) -> dict[str, Any]:
    """The whole document as plain data.

    Args:
        entries: The models, in the order in which they were given.
        asked: The thresholds.
        data: What the models ran on, as it was given.
        criterion: Name of the definition of a dead unit.
        rows: Whether to add one object for each unit.
    """
    return plain(
        {
            "format": FORMAT,
            "data": data,
            "criterion": criterion,
            **dataclasses.asdict(asked),
            "outcome": outcome(entries),
            "models": [each.to_dict(rows=rows) for each in entries],
        }
    )
