"""The plan of a conversion in which each site has its own slope."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from keras_rectifiers import specs
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import Replacement
from keras_rectifiers.surgery.replacements import Slopes
from keras_rectifiers.surgery.replacements import Target


@dataclasses.dataclass(frozen=True)
class Chosen(Target):
    """A target with one slope for each site.

    With `to="leaky_relu"` a site of slope 0 is left as it is; with `"prelu"` it
    becomes a PReLU that starts at 0.
    """

    #: Slope by path; 0 for a site that is absent.
    chosen: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def replacement(
        self, site: Site, slopes: Slopes
    ) -> tuple[Replacement, str] | Cannot:
        """The layer for one site and a note about it, or why there is none."""
        slope = self.chosen.get(site.path, 0.0)
        if self.to == specs.PRELU:
            return Target(self.to, alpha=slope).replacement(site, slopes)
        made = Target(self.to, negative_slope=slope).replacement(site, slopes)
        if slope == 0 and not isinstance(made, Cannot):
            return Cannot("slope", "no slope above 0 fits the budget")
        return made
