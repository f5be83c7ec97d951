"""Several processes that train one model together, and what they tell each other.

Keras trains over several processes on JAX (`keras.distribution.initialize`); under
torch each process of `torch.distributed` runs the user's own step. Each process has
its own data, so what is decided from data must be decided from the same data
everywhere: a unit that only one process revives would make their models differ.

What exchanges arrays waits for the other processes: every process must call it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]


def count() -> int:
    """Number of processes that train together, 1 or more."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax  # noqa: PLC0415 - only the backend in use is there

        return int(jax.process_count())
    if backend == "torch":
        return _torch_world().get_world_size() if _torch_is_on() else 1
    return 1


def is_first() -> bool:
    """Whether this process is the one that writes what is written once."""
    if count() == 1:
        return True
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 - only the backend in use is there

        return bool(jax.process_index() == 0)
    return bool(_torch_world().get_rank() == 0)


def gathered(named: Arrays) -> list[Arrays]:
    """Named arrays of every process, those of the first one first.

    Args:
        named: The arrays of this process.
    """
    if count() == 1:
        return [named]
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **named)
    sent = np.frombuffer(packed.getvalue(), np.uint8)
    gather = _with_jax if keras.backend.backend() == "jax" else _with_torch
    lengths = [int(each[0]) for each in gather(np.asarray([len(sent)], np.int32))]
    padded = np.zeros(max(lengths), np.uint8)
    padded[: len(sent)] = sent
    received = zip(gather(padded), lengths, strict=True)
    return [_unpacked(row[:length].tobytes()) for row, length in received]


def of_first(named: Arrays) -> Arrays:
    """Named arrays of the first process, in every process."""
    return gathered(named if is_first() else {})[0]


def as_first(value: Any) -> Any:
    """A structure of arrays with the values that the first process has.

    Args:
        value: Arrays in Keras' structure, the same structure in every process.
    """
    if count() == 1:
        return value
    found = keras.tree.flatten(value)
    given = {str(i): leaf for i, leaf in enumerate(found) if leaf is not None}
    mine = {name: np.asarray(leaf) for name, leaf in given.items()}
    first = of_first(mine)
    flat = [first.get(str(i)) for i in range(len(found))]
    return keras.tree.pack_sequence_as(value, flat)


def local(value: Any) -> Any:
    """What this process has of a tensor that every process has alike.

    A computation on it does not involve another process.

    Args:
        value: A tensor; one that is divided among processes is given back as it is.
    """
    if getattr(value, "is_fully_addressable", True):
        return value
    return value.addressable_data(0) if value.is_fully_replicated else value


def _unpacked(data: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return dict(found)


def _with_jax(row: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    from jax.experimental import multihost_utils  # noqa: PLC0415 - as above

    return list(np.asarray(multihost_utils.process_allgather(row)))


def _with_torch(row: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    import torch  # noqa: PLC0415 - only the backend in use is there

    world = _torch_world()
    device = "cuda" if world.get_backend() == "nccl" else "cpu"
    mine = torch.from_numpy(np.array(row)).to(device)
    rows = [torch.empty_like(mine) for _ in range(world.get_world_size())]
    world.all_gather(rows, mine)
    return [each.cpu().numpy() for each in rows]


def _torch_is_on() -> bool:
    world = _torch_world()
    return bool(world.is_available() and world.is_initialized())


def _torch_world() -> Any:
    import torch.distributed  # noqa: PLC0415 - only the backend in use is there

    return torch.distributed
