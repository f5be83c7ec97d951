"""A stranger's ResNet on real images: convert, verify, fine-tune, compare.

    python examples/cifar10_resnet.py MODEL DATA [--epochs 4] [--seeds 3]

MODEL is the MLPerf Tiny ResNet-8 (`pretrainedResnet.h5`, Apache-2.0), DATA an
`.npz` with CIFAR-10 images (x_train, y_train, x_test, y_test, 0...255). Each seed
fine-tunes the PReLU model and the untouched ReLU model alike: the same images in
the same order, as many steps, the same learning rate.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_rectifiers
from keras_rectifiers.types import Data

LOSS = "sparse_categorical_crossentropy"


def main():
    """Run the example and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    options = parser.parse_args()
    for path in (options.model, options.data):
        if not path.is_file():
            sys.exit(f"{path} is not there: this example needs both files.")

    data = read(options.data)
    original = keras_rectifiers.load_model(options.model)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "prelu.keras")
        plan = keras_rectifiers.convert_file(options.model, target)
        converted = keras.saving.load_model(target)
    print(plan, end="\n\n")
    print(keras_rectifiers.verify(original, converted, data.x_test), end="\n\n")
    print(keras_rectifiers.diagnose(original, data.x), end="\n\n")

    before = accuracy(original, data)
    print(f"accuracy of the original            {before:.2%}")
    print(f"accuracy right after the conversion {accuracy(converted, data):.2%}")
    results = {"convert": [], "none": []}
    for seed in range(options.seeds):
        for treatment, found in results.items():
            result = keras_rectifiers.finetune(
                original,
                data,
                treatment=treatment,
                schedule="constant",
                epochs=options.epochs,
                learning_rate=options.learning_rate,
                loss=LOSS,
                metrics=["accuracy"],
                batch_size=64,
                seed=seed,
            )
            found.append(result.after["accuracy"])
    for treatment, found in results.items():
        name = "PReLU" if treatment == "convert" else "ReLU "
        each = ", ".join(f"{value:.2%}" for value in found)
        mean = statistics.mean(found)
        print(f"accuracy of {name} fine-tuned         {mean:.2%}  (seeds: {each})")


def read(path):
    """The images as the model takes them: 0...255, not scaled."""
    with np.load(path, allow_pickle=False) as arrays:
        return Data(
            arrays["x_train"].astype("float32"),
            arrays["y_train"],
            arrays["x_test"].astype("float32"),
            arrays["y_test"],
        )


def accuracy(model, data):
    """Share of test images that are classified right."""
    chosen = model.predict(data.x_test, batch_size=250, verbose=0).argmax(axis=-1)
    return float((chosen == data.y_test.ravel()).mean())


if __name__ == "__main__":
    main()
