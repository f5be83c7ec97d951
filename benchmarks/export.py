# ruff: noqa: E402 (threads are set before frameworks are imported)
"""Exported models beside their plain ReLU twins: operations, differences, time.

    python benchmarks/export.py [--models cnn resnet] [--formats litert onnx]

Each model is exported in six variants: plain ReLU; PReLU; stock, which is the same
with `keras.layers.PReLU` and is exported by Keras itself; Leaky ReLU; PReLU with a
cap; and folded, which is PReLU with slopes of 0. The files of one model and format
are then run in turns on one thread; ratios of the medians of CPU time are printed,
1.00 for plain ReLU. Results are kept in a JSON file, so that a run can go on.
"""

import os

# One thread each; read when the frameworks are imported.
for _name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import keras_rectifiers
from keras_rectifiers.exporting import registry
from keras_rectifiers.exporting import signature
from keras_rectifiers.exporting.formats import FORMATS
from keras_rectifiers.graph.roles import ROLES
from keras_rectifiers.live import layers
from keras_rectifiers.live import rectifiers

_RESNET = (
    "mlcommons+tiny/benchmark/training/image_classification/trained_models/"
    "pretrainedResnet.h5"
)
_SHARED = Path(__file__).resolve().parents[2] / "shared" / "models"
_SAMPLES = 64


def cnn(relu):
    """Four convolutions on 32 x 32 images."""
    inputs = x = keras.Input((32, 32, 3))
    for index, filters in enumerate((16, 16, 32, 32)):
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        x = relu(name=f"relu{index}")(x)
        if index % 2:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="cnn")


def resnet(relu):
    """The image classifier of MLPerf Tiny, trained on CIFAR-10."""
    del relu
    return keras_rectifiers.load_model(_SHARED / _RESNET)


def mobilenet(relu):
    """MobileNetV2 with a width of 0.35 on 96 x 96 images."""
    del relu
    model = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None)
    for layer in model.layers:
        # Keras' own start makes signals vanish, and all outputs the same.
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            start = keras.initializers.RandomNormal(0, 0.45, seed=1)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            start = keras.initializers.HeNormal(seed=1)
        else:
            continue
        layer.kernel.assign(start(layer.kernel.shape))
    return model


def recurrent(relu):
    """Two convolutions and an LSTM on sequences."""
    inputs = x = keras.Input((64, 8))
    for index in range(2):
        x = keras.layers.Conv1D(32, 5, padding="same")(x)
        x = relu(name=f"relu{index}")(x)
    x = relu(name="relu2")(keras.layers.Dense(32)(keras.layers.LSTM(32)(x)))
    return keras.Model(inputs, keras.layers.Dense(5)(x), name="recurrent")


def dense(relu):
    """Three dense layers."""
    inputs = x = keras.Input((64,))
    for index in range(3):
        x = relu(name=f"relu{index}")(keras.layers.Dense(256)(x))
    return keras.Model(inputs, keras.layers.Dense(10)(x), name="dense")


MODELS = {each.__name__: each for each in (cnn, resnet, mobilenet, recurrent, dense)}
#: Name -> format, and options of `export`.
TARGETS = {
    "litert": ("litert", {}),
    "litert int8": ("litert", {"int8": True}),
    "onnx": ("onnx", {}),
    "onnx arithmetic": ("onnx", {"arithmetic": True}),
    "openvino": ("openvino", {}),
    "savedmodel": ("savedmodel", {}),
    "torch": ("torch", {}),
}
VARIANTS = ("relu", "prelu", "stock", "leaky", "capped", "folded")
_ALL = {"of": ("relu", "leaky_relu", "prelu"), "roles": ROLES}


def variant(name, make):
    """One variant of a model, built, with the same weights as all others."""
    keras.utils.set_random_seed(0)
    capped = name == "capped"
    model = make(lambda **kw: keras.layers.ReLU(6.0 if capped else None, **kw))
    if name == "relu":
        return model
    if name == "leaky":
        return keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.1, **_ALL)
    portable = {"portable": True} if name == "stock" else {}
    model = keras_rectifiers.convert(model, "prelu", **portable, **_ALL)
    if name != "folded":
        rng = np.random.default_rng(1)
        for each in rectifiers.find(model):
            if each.function.kind == "prelu":
                slopes = each.layer.weights[0]
                slopes.assign(rng.uniform(0.05, 0.3, slopes.shape))
    return model


def data_for(model):
    """Inputs of a model, with the values that images have been scaled to."""
    rng = np.random.default_rng(0)
    scale = 255.0 if "input_1" in model.input.name else 1.0
    shape = (_SAMPLES, *model.input_shape[1:])
    return (rng.random(shape) * scale).astype("float32")


def exported(name, model, target, data, folder):
    """The file of one variant, and what is known of it."""
    form, options = TARGETS[target]
    path = folder / f"{name}{FORMATS[form].suffix}"
    if name == "stock":
        return _by_keras(model, path, form, options, data), {}
    result = keras_rectifiers.export(
        model, path, form, data=data, twin=False, force=True, **options
    )
    found = result.to_dict()
    operations = sorted({tuple(each["operations"]) for each in found["rectifiers"]})
    return path, {
        "size": found["size"],
        "operations": ["+".join(each) or "?" for each in operations],
        "rectifiers": len(found["rectifiers"]),
        "maximum": found["differences"]["maximum"],
        "mean": found["differences"]["mean"],
        "scale": found["differences"]["scale"],
        "agreement": found["differences"]["agreement"],
        "holds": found["holds"],
        "fallbacks": found["fallbacks"],
    }


def _by_keras(model, path, form, options, data):
    """The file that Keras itself writes, without this package."""
    names = {"savedmodel": "tf_saved_model"}
    batch = 1 if form == "litert" and _is_recurrent(model) else None
    if batch == 1 and options.get("int8"):
        # It would end this process; `export` says so in a sentence.
        raise NotImplementedError("TensorFlow's converter crashes")
    sign = signature.of_model(model, batch)
    extra = {}
    if "arithmetic" in options:
        raise NotImplementedError("Keras has one form")
    if options.get("int8"):
        import tensorflow as tf

        extra = {
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "representative_dataset": lambda: ([each[None]] for each in data),
        }
    model.export(
        str(path),
        format=names.get(form, form),
        input_signature=sign.structure,
        verbose=False,
        **extra,
    )
    return path


def _is_recurrent(model):
    return any(isinstance(each, keras.layers.RNN) for each in layers.flat(model))


def timed(runs, rounds=25, shortest=0.02):
    """Median of CPU time in ms for each run; they take turns."""
    counts = {}
    for name, run in runs.items():
        for _ in range(3):
            run()
        start = time.process_time()
        run()
        counts[name] = max(1, int(shortest / max(time.process_time() - start, 1e-6)))
    found = {name: [] for name in runs}
    order = list(runs)
    for turn in range(rounds):
        for name in order if turn % 2 else reversed(order):
            start = time.process_time()
            for _ in range(counts[name]):
                runs[name]()
            found[name].append((time.process_time() - start) / counts[name])
    return {name: 1000 * statistics.median(each) for name, each in found.items()}


def measure(model_name, target, folder):
    """All variants of one model in one format."""
    form, _ = TARGETS[target]
    rows, runs = {}, {}
    for name in VARIANTS:
        try:
            model = variant(name, MODELS[model_name])
            data = data_for(model)
            path, rows[name] = exported(name, model, target, data, folder)
            batch = 1 if form == "litert" and _is_recurrent(model) else None
            sign = signature.of_model(model, batch)
            runner = registry.runner(form).Runner(path, sign)
            one = [data[:1]]
            runs[name] = lambda runner=runner, one=one: runner.run(one)
            runs[name]()
        except Exception as error:  # noqa: BLE001 - told in the table
            runs.pop(name, None)
            rows[name] = {"error": " ".join(str(error).split())[:300]}
        print(f"  {model_name} {target} {name}: {rows[name]}", flush=True)
    for name, milliseconds in timed(runs).items():
        rows[name]["milliseconds"] = milliseconds
    return rows


def table(results):
    """The results as a table of ratios."""
    print(f"\n| model | format | {' | '.join(VARIANTS[1:])} | operations |")
    print("|---" * (len(VARIANTS) + 2) + "|")
    for key, rows in results.items():
        model, target = key.split("|")
        base = rows["relu"].get("milliseconds")
        cells = []
        for name in VARIANTS[1:]:
            own = rows[name].get("milliseconds")
            cells.append(f"{own / base:.2f}" if own and base else "-")
        operations = ", ".join(rows["prelu"].get("operations", ["-"]))
        print(f"| {model} | {target} | {' | '.join(cells)} | {operations} |")


def main():
    """Measure what is asked for, and print the table of all that is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--formats", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--results", type=Path, default=Path("export_results.json"))
    options = parser.parse_args()
    results = {}
    if options.results.is_file():
        results = json.loads(options.results.read_text(encoding="utf-8"))
    for model in options.models:
        for target in options.formats:
            key = f"{model}|{target}"
            if key in results:
                continue
            with tempfile.TemporaryDirectory() as folder:
                results[key] = measure(model, target, Path(folder))
            options.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
    table(results)


if __name__ == "__main__":
    main()
