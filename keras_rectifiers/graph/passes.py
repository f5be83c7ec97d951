"""The base of every pass over the calls of a model: forward, and backward.

A pass is a subclass with one method, which says what becomes of values at one call.
Keras is never imported.
"""

from __future__ import annotations

import abc
import heapq
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Generic
from typing import TypeVar

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor

Value = TypeVar("Value")


class Forward(abc.ABC, Generic[Value]):
    """A pass in running order, in which each tensor gets a value.

    Args:
        calls: The calls of a model.
        unknown: The value of a tensor that the pass says nothing about.
    """

    def __init__(self, calls: Calls, unknown: Value) -> None:
        self.calls = calls
        self._unknown = unknown
        self._values: dict[int, Sequence[Value]] = {}

    @abc.abstractmethod
    def made(self, call: Call, taken: Sequence[Value]) -> Sequence[Value]:
        """The values of what a call makes.

        Args:
            call: The call.
            taken: The values of what it takes, in the order of `call.takes`.

        Returns:
            One for each output. If there are fewer, the last one is that of the
            others; if there are none, the pass does not go on from here.
        """

    def run(self, starts: Iterable[Call] | None = None) -> None:
        """Visit calls, each once, after those it takes from.

        Args:
            starts: Where to begin: only these are visited, and what takes what was
                made there. Default None: all calls are visited.
        """
        first = self.calls if starts is None else starts
        pending = sorted({call.number for call in first})
        met = set(pending)
        while pending:
            call = self.calls[heapq.heappop(pending)]
            values = self.made(call, [self.of(tensor) for tensor in call.takes])
            self._values[call.number] = values
            if starts is None or not values:
                continue
            for tensor in self.calls.outputs(call):
                for taker, _ in self.calls.takers(tensor):
                    if taker.number not in met:
                        met.add(taker.number)
                        heapq.heappush(pending, taker.number)

    def of(self, tensor: Tensor) -> Value:
        """The value of a tensor."""
        values = self._values.get(tensor.call)
        if not values:
            return self._unknown
        return values[min(tensor.index, len(values) - 1)]


class Backward(abc.ABC, Generic[Value]):
    """A pass against the running order, in which each call gets a value.

    Args:
        calls: The calls of a model.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._ends = {tensor.call for tensor in calls.ends}
        self._values: dict[int, Value] = {}

    @abc.abstractmethod
    def value(self, call: Call, takers: Sequence[Call]) -> Value:
        """The value of a call.

        Args:
            call: The call.
            takers: Those that take what it makes, which have their values.
        """

    def run(self) -> None:
        """Visit all calls, each after those that take what it makes."""
        for call in reversed(self.calls):
            takers = {
                taker: None
                for tensor in self.calls.outputs(call)
                for taker, _ in self.calls.takers(tensor)
            }
            self._values[call.number] = self.value(call, list(takers))

    def of(self, call: Call) -> Value:
        """The value of a call."""
        return self._values[call.number]

    def ends(self, call: Call) -> bool:
        """Whether a call makes an output of the model."""
        return call.number in self._ends
