"""Backbones and tasks of KerasHub, built small with random weights."""

import keras_hub

from benchmarks.sweep_models import hub_around
from benchmarks.sweep_models import hub_diffusion
from benchmarks.sweep_models import hub_images
from benchmarks.sweep_models import hub_joined
from benchmarks.sweep_models import hub_tasks
from benchmarks.sweep_models import hub_text
from benchmarks.sweep_models.case import Case


def cases() -> dict[str, Case]:
    """Every case by name."""
    families = (hub_around, hub_diffusion, hub_joined, hub_tasks)
    found = hub_images.cases()
    for family in families:
        found |= family.CASES
    return found | hub_text.cases()


def custom_objects() -> dict[str, type]:
    """None: KerasHub registers its classes."""
    assert keras_hub.__version__  # noqa: S101 - it was imported, so they are registered
    return {}
