"""Run with a kind of data and a number of rows; prints peaks of memory in MiB."""

import json
import resource
import sys
from pathlib import Path

import keras
import numpy as np
from click.testing import CliRunner

import keras_rectifiers
from keras_rectifiers.cli.main import main

WIDTH, BATCH = 1024, 256


def rows(start, count):
    """Some rows of the data: inputs and labels."""
    random = np.random.default_rng(start)
    x = random.normal(size=(count, WIDTH)).astype("float32")
    return x, (x[:, 0] > 0).astype("int32")


def tf_data(count):
    import tensorflow as tf

    def made(start):
        x, y = tf.numpy_function(
            lambda place: rows(int(place), BATCH), [start], [tf.float32, tf.int32]
        )
        return tf.ensure_shape(x, (BATCH, WIDTH)), tf.ensure_shape(y, (BATCH,))

    return tf.data.Dataset.range(0, count, BATCH).map(made)


def py_dataset(count):
    class Batches(keras.utils.PyDataset):
        num_batches = count // BATCH

        def __getitem__(self, index):
            return rows(index * BATCH, BATCH)

    return Batches()


def data_loader(count):
    import torch

    class Each(torch.utils.data.Dataset):
        def __len__(self):
            return count

        def __getitem__(self, index):
            x, y = rows(index, 1)
            return x[0], y[0]

    return torch.utils.data.DataLoader(Each(), batch_size=BATCH)


def iterable_loader(count):
    import torch

    class All(torch.utils.data.IterableDataset):
        def __iter__(self):
            for start in range(0, count, BATCH):
                x, y = rows(start, BATCH)
                yield from zip(x, y, strict=True)

    return torch.utils.data.DataLoader(All(), batch_size=BATCH)


def grain_data(count):
    import grain

    return grain.MapDataset.range(0, count, BATCH).map(
        lambda start: rows(int(start), BATCH)
    )


def memory_map(count):
    return tuple(np.load(each, mmap_mode="r") for each in files(count))


def files(count):
    """Two files with the arrays, written once, a part at a time."""
    names = Path(f"x{count}.npy"), Path(f"y{count}.npy")
    if not names[0].exists():  # in another process: what it maps is in its peak
        x = np.lib.format.open_memmap(names[0], "w+", "float32", (count, WIDTH))
        y = np.lib.format.open_memmap(names[1], "w+", "int32", (count,))
        for start in range(0, count, BATCH):
            x[start : start + BATCH], y[start : start + BATCH] = rows(start, BATCH)
        np.savez(f"xy{count}.npz", x=x, y=y)
    return names


def model():
    """A small classifier with a rectifier."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((WIDTH,)), keras.layers.Dense(8, activation="relu")]
    made = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def peak():
    """The greatest memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_python(kind, count):
    """The peak of memory of both functions."""
    found = {"before": peak()}
    data = globals()[kind]
    keras_rectifiers.diagnose(model(), data(count))
    found["diagnose"] = peak()
    keras_rectifiers.finetune(
        model(), data(count), treatment="none", epochs=1, batch_size=BATCH
    )
    return {**found, "finetune": peak()}


def on_the_command_line(count):
    """The same of both commands, on a `.npy` and an `.npz`."""
    x, _ = files(count)
    model().save("model.keras")
    run = CliRunner().invoke
    found = {"before": peak()}
    done = run(main, ["diagnose", "model.keras", "--data", str(x)])
    assert done.exit_code == 0, done.output
    found["diagnose"] = peak()
    target = f"out{count}.keras"
    options = ["--treatment", "none", "--epochs", "1", "--batch-size", str(BATCH)]
    call = ["finetune", "model.keras", "--data", f"xy{count}.npz", "--out", target]
    done = run(main, [*call, *options])
    assert Path(target).exists(), done.output
    return {**found, "finetune": peak()}


if __name__ == "__main__":
    name, number = sys.argv[1], int(sys.argv[2])
    if name == "files":
        result = list(map(str, files(number)))
    elif name == "command_line":
        result = on_the_command_line(number)
    else:
        result = in_python(name, number)
    sys.stdout.write(json.dumps(result))
