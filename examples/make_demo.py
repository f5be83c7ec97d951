"""Make what `keras-rectifiers demo` starts from: real digits and a dying model.

    pip install -e ".[tensorflow,examples]"
    python examples/make_demo.py            # writes keras_rectifiers/demo/
    python examples/make_demo.py --spread 8  # what other seeds give; writes nothing

A small ReLU network really dies here, in two phases of plain training:

1. *Hot*: SGD with momentum and a learning rate ten times too high, until 60 % of
   the hidden units are dead on the training images (looked at every 8 steps).
2. *Cooled*: Adam at its usual learning rate, until the network has settled.

The seed is the first whose settled model is clearly hurt but not at chance: a test
accuracy between 35 % and 70 %, and no layer dead as a whole (no ReLU could then
learn anything). The choice never looks at what a conversion gains.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_rectifiers import diagnose
from keras_rectifiers import finetune
from keras_rectifiers.types import Data

#: Where the demo's files are in a checkout.
FOLDER = Path(__file__).parents[1] / "keras_rectifiers" / "demo"
MODEL, IMAGES = "dying_digits.keras", "digits.npz"
WIDTHS = (64, 32, 32, 32, 32, 32)
TEST_IMAGES = 450
HOT_LEARNING_RATE, MOMENTUM = 0.1, 0.9
DEAD_SHARE = 0.6
STEPS_BETWEEN_LOOKS, MOST_LOOKS, BATCH = 8, 200, 32
COOLING_EPOCHS = 10
HURT = (0.35, 0.70)


def digits() -> dict[str, np.ndarray]:
    """The 1,797 images of 8x8 pixels, 0..16, divided with equal shares of digits."""
    bunch = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        bunch.images.astype("uint8")[..., None],
        bunch.target.astype("uint8"),
        test_size=TEST_IMAGES,
        random_state=0,
        stratify=bunch.target,
    )
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def classifier() -> keras.Model:
    """Six hidden layers of ReLU: deep and narrow networks die easily."""
    layers = [
        keras.Input((8, 8, 1), name="image"),
        keras.layers.Rescaling(1 / 16, name="to_unit_range"),
        keras.layers.Flatten(name="pixels"),
    ]
    for number, width in enumerate(WIDTHS, 1):
        layers.append(
            keras.layers.Dense(width, activation="relu", name=f"hidden_{number}")
        )
    layers.append(keras.layers.Dense(10, activation="softmax", name="digit"))
    return keras.Sequential(layers, name="dying_digits")


def compiled(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """The same model, ready to train with an optimizer."""
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train_into_dying(data: dict[str, np.ndarray], seed: int) -> keras.Model | None:
    """A settled model with many dead units; None if it did not come to that."""
    keras.utils.set_random_seed(seed)
    order = np.random.default_rng(seed)
    x, y = data["x_train"], data["y_train"]
    model = compiled(
        classifier(), keras.optimizers.SGD(HOT_LEARNING_RATE, momentum=MOMENTUM)
    )
    for _ in range(MOST_LOOKS):
        index = order.permutation(len(x))[: STEPS_BETWEEN_LOOKS * BATCH]
        model.fit(x[index], y[index], batch_size=BATCH, verbose=0)
        found = diagnose(model, x, batch_size=512)
        if found.dead_fraction >= DEAD_SHARE:
            break
    else:
        return None
    if any(layer.dead == layer.units for layer in found.layers):
        return None
    compiled(model, keras.optimizers.Adam(0.001))
    model.fit(x, y, batch_size=BATCH, epochs=COOLING_EPOCHS, verbose=0)
    return model


def accuracy(model: keras.Model, data: dict[str, np.ndarray]) -> float:
    """Share of the test images that are classified right."""
    return model.evaluate(data["x_test"], data["y_test"], verbose=0, return_dict=True)[
        "accuracy"
    ]


def spread(data: dict[str, np.ndarray], seeds: int, runs: int = 2) -> None:
    """Print what fine-tuning gives to ReLU and to PReLU, for each seed."""
    arrays = Data(
        data["x_train"], data["y_train"], data["x_test"], data["y_test"], "digits"
    )
    for seed in range(seeds):
        model = train_into_dying(data, seed)
        if model is None:
            print(f"seed {seed}: a whole layer died, or too few units", flush=True)
            continue
        found = diagnose(model, data["x_train"], batch_size=512)
        texts = [f"seed {seed}: {found.dead_fraction:.0%} dead"]
        texts.append(f"accuracy {accuracy(model, data):.3f}")
        for name, treatment in (("relu", "none"), ("prelu", "convert")):
            after = [
                finetune(
                    model,
                    arrays,
                    treatment=treatment,
                    schedule="constant",
                    epochs=10,
                    seed=run,
                ).after["accuracy"]
                for run in range(runs)
            ]
            texts.append(f"{name} " + " ".join(f"{each:.3f}" for each in after))
        print("; ".join(texts), flush=True)


def main() -> None:
    """Write the two files, or print the spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--spread", type=int, metavar="SEEDS")
    options = parser.parse_args()
    data = digits()
    if options.spread:
        spread(data, options.spread)
        return
    for seed in range(100):
        model = train_into_dying(data, seed)
        reached = None if model is None else accuracy(model, data)
        print(f"seed {seed}: accuracy {reached}", flush=True)
        if reached is not None and HURT[0] <= reached <= HURT[1]:
            break
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.out / IMAGES, **data)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        made = Path(folder) / MODEL
        model.save(made)
        made.replace(options.out / MODEL)
    print(diagnose(model, data["x_train"], batch_size=512))


if __name__ == "__main__":
    main()
