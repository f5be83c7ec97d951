"""Make the reports of two runs, and pictures of them.

    python examples/make_report_picture.py MODEL DATA [--out docs]

MODEL and DATA are those of `examples/cifar10_resnet.py`: the MLPerf Tiny ResNet-8 and
CIFAR-10 images. It is converted to PReLU and fine-tuned: `report.png`. The demo's
dying classifier is treated alike: `report-demo.png` before, `report-dark.png` after.
Needs the extra `report`, pillow, and chromium or google-chrome.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from cifar10_resnet import LOSS
from cifar10_resnet import read
from PIL import Image

import keras_rectifiers
from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.report import write_report

DEMO = resources.files("keras_rectifiers.demo")
WIDTH = 1200
SCALE = 1.25


def main():
    """Train, report, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        resnet(options.model, options.data, page)
        picture(page, options.out / "report.png", height=2240)
        dying(page, before=True)
        picture(page, options.out / "report-demo.png", height=1005)
        dying(page, before=False)
        picture(page, options.out / "report-dark.png", height=2945, dark=True)


def resnet(path, images, page):
    """The stranger's ResNet with PReLU, fine-tuned for a while."""
    data = read(images)
    model = keras_rectifiers.convert(keras_rectifiers.load_model(path), "prelu")
    trained(model, data.x, data.y, page, learning_rate=1e-3, epochs=6, title="ResNet-8")


def dying(page, *, before):
    """The demo's classifier: as it came, or with PReLU and fine-tuned."""
    model = keras_rectifiers.load_model(str(DEMO / "dying_digits.keras"))
    with np.load(str(DEMO / "digits.npz"), allow_pickle=False) as arrays:
        x, y = arrays["x_train"].astype("float32"), arrays["y_train"]
    if before:
        diagnosis = keras_rectifiers.diagnose(model, x, batch_size=256)
        explanation = keras_rectifiers.explain(diagnosis)
        write_report(diagnosis, page, explanation=explanation, overwrite=True)
        return
    model = keras_rectifiers.convert(model, "prelu")
    trained(model, x, y, page, learning_rate=1e-3, epochs=20, title=None)


def trained(model, x, y, page, *, learning_rate, epochs, title):
    """Fine-tune a model under a monitor, and report what its units did."""
    model.compile(keras.optimizers.Adam(learning_rate), LOSS, metrics=["accuracy"])
    monitor = DeadUnitMonitor(x[:1024])
    model.fit(x, y, batch_size=64, epochs=epochs, callbacks=[monitor], verbose=2)
    write_report(
        keras_rectifiers.diagnose(model, x, batch_size=256),
        page,
        timeline=monitor.timeline,
        title=title,
        overwrite=True,
    )


def picture(page, target, *, height, dark=False):
    """What a browser shows of a page, in 256 colours that leave none out."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)))
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "shot.png")
        subprocess.run(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                f"--force-device-scale-factor={SCALE}",
                f"--window-size={WIDTH},{height}",
                f"--screenshot={shot}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        image = Image.open(shot).convert("RGB")
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
