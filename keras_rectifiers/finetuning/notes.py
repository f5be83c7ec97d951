"""What is said while a call is at work: at once, and again in its result."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable

Tell = Callable[[str], None]


class Notes:
    """Sentences in the order in which they were said.

    Args:
        tell: Called with each sentence as it is said; None for nobody.

    Attributes:
        lines: All that was said.
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self.lines: list[str] = []
        self._tell = tell

    def say(self, sentence: str) -> None:
        """Say one sentence."""
        self.lines.append(sentence)
        if self._tell is not None:
            self._tell(sentence)

    def say_all(self, sentences: Iterable[str]) -> None:
        """Say several sentences, one after the other."""
        for sentence in sentences:
            self.say(sentence)
