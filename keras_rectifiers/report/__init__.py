"""A diagnosis as one page of HTML."""

from typing import TYPE_CHECKING

from keras_rectifiers import _lazy

if TYPE_CHECKING:
    from keras_rectifiers.report.html import write_report as write_report

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    {
        "report.html": ("write_report",),
    },
)
