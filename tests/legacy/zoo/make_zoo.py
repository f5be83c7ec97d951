"""Write a zoo of small models with whichever Keras 3 is installed.

    python tests/legacy/zoo/make_zoo.py FOLDER [CASE ...]

Each case becomes `CASE.keras`, `CASE.again.keras` (opened by the same release, and
saved again), `CASE.h5`, and `CASE.json` with `CASE.weights.h5`; `CASE.npz` holds
inputs, the outputs that this release computes for them, and the variables of the
optimizer. `made.json` says which release wrote the folder, and what it refused.

With `ZOO_FORMS=keras` only the first of these files is written.

Nothing here is newer than Keras 3.0, unless its case says since when it is there.
"""

import json
import os
import sys
import traceback
import zlib
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

try:
    from tests.legacy.zoo.cases import CASES
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from tests.legacy.zoo.cases import CASES


def flat(value):
    """The arrays of a nested structure, keys sorted."""
    if isinstance(value, dict):
        return [each for key in sorted(value) for each in flat(value[key])]
    if isinstance(value, list | tuple):
        return [each for one in value for each in flat(one)]
    return [value]


def form_of(value, numbers):
    """A nested structure with a number for each array, in the order of `flat`."""
    if isinstance(value, dict):
        return {key: form_of(value[key], numbers) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [form_of(each, numbers) for each in value]
    return next(numbers)


def run(model, inputs):
    """The outputs of a model as arrays, in float32 where they are shorter floats."""
    found = []
    for each in flat(model(inputs, training=False)):
        array = keras.ops.convert_to_numpy(each)
        found.append(array if array.dtype.kind in "iub" else array.astype("float32"))
    return found


def tensors(inputs):
    """Inputs as tensors: strings cannot be anything else."""
    if isinstance(inputs, dict):
        return {key: tensors(each) for key, each in inputs.items()}
    if isinstance(inputs, list):
        return [tensors(each) for each in inputs]
    if isinstance(inputs, tuple):
        return tuple(tensors(each) for each in inputs)
    if inputs.dtype.kind == "U":
        import tensorflow as tf

        return tf.constant(inputs)
    return keras.ops.convert_to_tensor(inputs)


def state(model):
    """The variables of a model's optimizer, as arrays."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return []
    return [keras.ops.convert_to_numpy(each.value) for each in optimizer.variables]


def made(case):
    """A case's model with random weights, trained a little where it says so."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    model, inputs = case.build(rng)
    if case.random:
        randomize(model, rng)
    case.after(model, inputs, rng)
    return model, inputs


def randomize(model, rng):
    """Give every weight a random value that it may have."""
    for weight in model.weights:
        if not np.issubdtype(
            np.dtype(str(weight.dtype).replace("bfloat16", "float32")), np.floating
        ):
            continue
        name = weight.path.rsplit("/", 1)[-1]
        value = rng.normal(0.0, 0.5, weight.shape)
        if "variance" in name or name in ("gamma", "scale", "renorm_stddev"):
            value = 0.5 + np.abs(value)
        if name != "count":
            weight.assign(value)


def write(case, folder):
    """Write one case in every form; what was refused, by form."""
    refused = {}
    model, inputs = made(case)
    arrays = {f"in_{i}": each for i, each in enumerate(flat(inputs))}
    arrays["form"] = np.array(json.dumps(form_of(inputs, iter(range(len(arrays))))))
    arrays |= {f"out_{i}": each for i, each in enumerate(run(model, tensors(inputs)))}
    arrays |= {f"opt_{i}": each for i, each in enumerate(state(model))}
    np.savez_compressed(folder / f"{case.name}.npz", **arrays)

    def attempt(form, function):
        try:
            function()
        except Exception as error:  # noqa: BLE001 (whatever it is goes on record)
            if os.environ.get("ZOO_TRACE"):
                traceback.print_exc()
            refused[form] = f"{type(error).__name__}: {error}"[:300]

    path = folder / case.name
    attempt("keras", lambda: model.save(f"{path}.keras"))
    if os.environ.get("ZOO_FORMS") == "keras":
        return refused
    attempt("again", lambda: again(case, path))
    if case.forms:
        attempt("h5", lambda: model.save(f"{path}.h5"))
        attempt("json", lambda: weights_apart(model, path))
    return refused


def again(case, path):
    """Open a file with the release that wrote it, and save it again."""
    model = keras.saving.load_model(f"{path}.keras", **case.opening)
    model.save(f"{path}.again.keras")


def weights_apart(model, path):
    """Write architecture and weights, each in a file of its own."""
    Path(f"{path}.json").write_text(model.to_json(), encoding="utf-8")
    model.save_weights(f"{path}.weights.h5")


def main(folder, only):
    """Write the zoo."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)  # each trains for a step or two only
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    version = tuple(int(each) for each in keras.__version__.split(".")[:3])
    refused = {}
    for case in CASES.values():
        if (only and case.name not in only) or version < case.since:
            continue
        try:
            found = write(case, folder)
        except Exception as error:  # noqa: BLE001 (the next case may be possible)
            if os.environ.get("ZOO_TRACE"):
                traceback.print_exc()
            found = {"model": f"{type(error).__name__}: {error}"[:300]}
        if found:
            refused[case.name] = found
    about = {"keras": keras.__version__, "refused": refused}
    (folder / "made.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    sys.stdout.write(f"Keras {keras.__version__}: refused: {refused}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
