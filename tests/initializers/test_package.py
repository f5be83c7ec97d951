"""The package as a whole: names, examples, registration."""

import doctest
import json
import subprocess
import sys

import keras

from keras_rectifiers import initializers


def test_examples_in_the_docstrings():
    """Each documented example prints what it says."""
    results = [
        doctest.testmod(sys.modules[f"{initializers.__name__}.{module}"])
        for module in ("he", "asymmetric", "redraw")
    ]
    # The classes name the package as their module, and are found there.
    results.append(doctest.testmod(initializers))

    assert sum(result.attempted for result in results) >= 12
    assert sum(result.failed for result in results) == 0


def test_importing_the_package_registers_them():
    """With Keras loaded, `import keras_rectifiers` is all that a file needs."""
    dense = keras.layers.Dense(2, **initializers.randomized_asymmetric(3), name="me")
    document = json.dumps(keras.saving.serialize_keras_object(dense))
    code = (
        "import json, sys, keras, keras_rectifiers\n"
        "document = json.loads(sys.argv[1])\n"
        "print(keras.saving.deserialize_keras_object(document).name)\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, document],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == ["me"]
