"""A saved model that is open: its document, and what plans make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.unseen import Inside
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.graph.unseen import unseen
from keras_rectifiers.surgery import way_back
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.rewrite import Rewritten
from keras_rectifiers.surgery.rewrite import rewrite
from keras_rectifiers.surgery.way_back import Undo
from keras_rectifiers.surgery.way_back import undone


class SavedSource:
    """What an open file of any form has.

    Args:
        survey: Its document.
        path: Where it was read from.
    """

    def __init__(self, survey: Survey, path: Path) -> None:
        self.survey = survey
        self.path = path
        self._last: tuple[Any, Rewritten] | None = None

    @property
    def document(self) -> Entry:
        """The model's config."""
        return self.survey.document

    @property
    def name(self) -> str:
        """The model's name."""
        return name_of(self.document)

    @property
    def found(self) -> tuple[Found, ...]:
        """Every rectifier."""
        return self.survey.found

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        """What cannot be looked into."""
        return unseen(self.survey, self.look)

    def look(self, place: Place) -> Inside:
        """What is known of the layers inside a place: nothing."""
        del place
        return Inside()

    def with_back(self, plan: Plan) -> Plan:
        """A plan that says how its work is undone.

        Args:
            plan: A plan for this model.
        """
        return way_back.with_back(plan, self.document, self.rewritten(plan))

    def rewritten(self, plan: Plan) -> Rewritten:
        """What a plan makes of the document; not to be changed.

        What was made last is kept: planning and writing both ask.

        Raises:
            PlanMismatchError: The plan is for another model.
        """
        key = plan.difference if isinstance(plan, Undo) else plan.steps
        if self._last is None or self._last[0] is not key:
            with wellformed.reading(self.path, "config.json"):
                self._last = key, self._made(plan)
        return self._last[1]

    def _made(self, plan: Plan) -> Rewritten:
        if isinstance(plan, Undo):
            return undone(self.document, plan)
        return rewrite(self.survey, plan)
