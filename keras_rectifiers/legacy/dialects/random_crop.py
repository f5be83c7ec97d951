"""A layer that does another thing in Keras 3 when a model does not train."""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.classes import become
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

#: Release that no longer resizes where it does not train.
_CROPS = (3, 6)
_KEPT = ("name", "trainable", "dtype", "height", "width", "data_format")


@entry_rule("random_crop", "RandomCrop → Resizing, which it was outside training")
def resize_instead(entry: Entry, context: Context) -> None:
    """Keep what a RandomCrop makes of an image at inference, up to Keras 3.5.

    It crops to the wanted proportions and resizes; that of Keras 3.8 on leaves the
    image as it is, so that the layers behind it get another shape.
    """
    own = entry.get("module") == known.LAYERS and not entry.get("registered_name")
    if entry.get("class_name") != "RandomCrop" or not own:
        return
    version = context.origin.version
    if not known.is_old(entry, version) and not (3,) <= version < _CROPS:
        return
    become(entry, "Resizing")
    config = config_of(entry)
    kept = {key: config[key] for key in _KEPT if key in config}
    entry["config"] = {
        **kept,
        "interpolation": "bilinear",
        "crop_to_aspect_ratio": True,
    }
    text = (
        "RandomCrop → Resizing, which does at inference what it did; in training "
        "it no longer crops at random"
    )
    context.repaired(entry, text, caution=True)
