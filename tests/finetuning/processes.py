"""What each of several processes does that train one model together."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import keras_rectifiers
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import ReviveDeadUnits
from keras_rectifiers.errors import DataError
from keras_rectifiers.errors import UnsupportedModelError
from tests.finetuning import devices


def main():
    """Join the others, train, and print what was found as JSON."""
    rank, processes, port, folder = sys.argv[1:]
    rank, processes = int(rank), int(processes)
    start = {"jax": _with_jax, "torch": _with_torch}[keras.backend.backend()]
    told = start(rank, processes, port, Path(folder))
    print(json.dumps(told))  # noqa: T201 - the parent reads it


def _with_jax(rank, processes, port, folder):
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{port}", processes, rank)
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(auto_shard_dataset=False)
    )
    x, y = devices.X[rank::processes], devices.Y[rank::processes]
    with_probe, exact, revive = (
        DeadUnitMonitor(x),
        DeadUnitMonitor(),
        ReviveDeadUnits(x),
    )
    _fit(devices.dead(), x, y, with_probe)
    _fit(devices.dead(), x, y, exact)
    revived = _fit(devices.dead(), x, y, revive)
    tuned = keras_rectifiers.finetune(
        devices.dead(), (x, y), epochs=3, resume=folder / "state"
    )
    again = keras_rectifiers.finetune(
        devices.dead(), (x, y), epochs=3, resume=folder / "state"
    )
    short = keras_rectifiers.finetune(devices.dead(), (x, y), epochs=9, budget=1e-3)
    try:
        keras_rectifiers.finetune(devices.dead(), (x[rank * 8 :], y[rank * 8 :]))
    except DataError as error:
        refused = str(error)
    return {
        "processes": jax.process_count(),
        "monitor": [each["dead_fraction"] for each in with_probe.history],
        "counted": exact.total.layers[0].statistics.samples,
        "revived": [each["revived"] for each in revive.history],
        "revived_weights": _digest(revived),
        "finetune": [tuned.treatment, tuned.rescued, tuned.after["dead_fraction"]],
        "tuned_weights": _digest(tuned.model),
        "resumed_weights": _digest(again.model),
        "states": [each.name for each in (folder / "state").iterdir()],
        "epochs_of_budget": len(short.history),
        "refused": refused,
        "alone": _diagnosed_alone(rank, tuned.model),
    }


def _diagnosed_alone(rank, model):
    """What only the first process does; the other one has finished."""
    return (
        keras_rectifiers.diagnose(model, devices.X).layers[0].statistics.samples
        if rank == 0
        else None
    )


class Parallel(keras.Sequential):
    """A model that trains as torch's DistributedDataParallel does."""

    def train_step(self, data):
        import torch

        if not hasattr(self, "shared"):
            wrapped = torch.nn.parallel.DistributedDataParallel(self)
            object.__setattr__(self, "shared", wrapped)
        x, y = data
        self.zero_grad()
        loss = self.compute_loss(y=y, y_pred=self.shared(x))
        loss.backward()
        weights = self.trainable_weights
        with torch.no_grad():
            self.optimizer.apply([each.value.grad for each in weights], weights)
        return {"loss": loss}


def _with_torch(rank, processes, port, _):
    import torch

    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=processes
    )
    x, y = devices.X[rank::processes], devices.Y[rank::processes]
    with_probe, exact, revive = (
        DeadUnitMonitor(x),
        DeadUnitMonitor(),
        ReviveDeadUnits(x),
    )
    _fit(devices.dead(Parallel), x, y, with_probe)
    _fit(devices.dead(Parallel), x, y, exact)
    revived = _fit(devices.dead(Parallel), x, y, revive)
    counting = ReviveDeadUnits()
    counted = _fit(devices.dead(Parallel), x, y, counting)
    try:
        keras_rectifiers.finetune(devices.dead(Parallel), (x, y))
    except UnsupportedModelError as error:
        refused = str(error)
    told = {
        "processes": torch.distributed.get_world_size(),
        "monitor": [each["dead_fraction"] for each in with_probe.history],
        "counted": exact.total.layers[0].statistics.samples,
        "revived": [each["revived"] for each in revive.history],
        "revived_weights": _digest(revived),
        "revived_by_counts": [each["revived"] for each in counting.history],
        "counted_weights": _digest(counted),
        "refused": refused,
    }
    torch.distributed.destroy_process_group()
    return told


def _fit(model, x, y, callback):
    model.fit(x, y, epochs=3, batch_size=16, verbose=0, callbacks=[callback])
    return model


def _digest(model):
    return [float(np.abs(each).sum(dtype=np.float64)) for each in model.get_weights()]
