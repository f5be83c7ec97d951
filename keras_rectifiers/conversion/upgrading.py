"""The verb `upgrade`, for a program that has its own classes at hand."""

from __future__ import annotations

from keras_rectifiers.conversion import upgrade as of_files
from keras_rectifiers.conversion.registered import with_registered

upgrade = with_registered(of_files.upgrade)
