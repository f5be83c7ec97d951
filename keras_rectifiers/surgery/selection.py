"""Which of the sites found are converted, and why the others are not."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from collections.abc import Sequence
from fnmatch import fnmatchcase

from keras_rectifiers import specs
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.graph.roles import CALLED
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.roles import ROLES
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot

Names = str | Sequence[str]

KINDS = (specs.RELU, specs.LEAKY_RELU, specs.PRELU)
_WILDCARDS = "*?["


@dataclasses.dataclass(frozen=True)
class Selection:
    """The `of`, `include`, `exclude`, `where` and `roles` of a plan.

    A pattern is a glob on the site's whole path, or on its last name where the pattern
    has no `/`. A pattern without wildcards names its site, and so selects it regardless
    of its role.

    Raises:
        ValueError: An unknown kind or role.
    """

    of: Names = (specs.RELU,)
    include: Names = ()
    exclude: Names = ()
    where: Callable[[Site], bool] | None = None
    roles: Names = (HIDDEN,)

    def __post_init__(self) -> None:
        for name in ("of", "include", "exclude", "roles"):
            given = getattr(self, name)
            names = (given,) if isinstance(given, str) else tuple(given or ())
            object.__setattr__(self, name, names)
        for name, known in (("of", KINDS), ("roles", ROLES)):
            for value in getattr(self, name):
                if value not in known:
                    raise ValueError(
                        f"{name} must be one of {', '.join(map(repr, known))}. "
                        f"Received: {name}={value!r}."
                    )

    def skips(self, site: Site) -> Cannot | None:
        """Why a site is skipped, None if it is selected."""
        if site.role == CALLED:
            return Cannot(site.role, site.evidence)
        if site.kind not in self.of:
            return Cannot("kind", f"it is a {site.kind}; of={'/'.join(self.of)}")
        if self.include and not any(matches(site, each) for each in self.include):
            return Cannot("include", "no include pattern matches it")
        if any(matches(site, each) for each in self.exclude):
            return Cannot("exclude", "an exclude pattern matches it")
        named = any(
            not set(each) & set(_WILDCARDS) and matches(site, each)
            for each in self.include
        )
        if site.role not in self.roles and not named:
            return Cannot(site.role, site.evidence or f"its role is {site.role}")
        if self.where is not None and not self.where(site):
            why = getattr(self.where, "why", None)
            return Cannot("where", why(site) if why else "the predicate left it out")
        return None

    def check(self, sites: Sequence[Site]) -> None:
        """Refuse patterns and predicates that match nothing.

        Raises:
            SelectionError: With the nearest names, if there are any.
        """
        for name in ("include", "exclude"):
            for pattern in getattr(self, name):
                if not any(matches(site, pattern) for site in sites):
                    raise SelectionError(_no_match(name, pattern, sites))
        known = getattr(self.where, "check", None)
        if known is not None:
            known(sites)
        narrowed = self.include or self.where is not None
        if not narrowed or not sites:
            return
        reasons = {site.path: self.skips(site) for site in sites}
        if all(reasons.values()):
            shown = [
                f"{path} ({why.reason}: {why.detail})"
                for path, why in reasons.items()
                if why is not None and why.reason != "include"
            ]
            some = "; ".join(shown[:3]) or "none came near"
            raise SelectionError(
                "A selection must include at least one site. Received: a selection "
                f"that excludes all {len(sites)} sites: {some}. Widen include, where "
                "or roles."
            )


def matches(site: Site, pattern: str) -> bool:
    """Whether a pattern matches a site's path (or its last name)."""
    path = site.path if "/" in pattern else site.path.rsplit("/", 1)[-1]
    return fnmatchcase(site.path, pattern) or fnmatchcase(path, pattern)


def _no_match(name: str, pattern: str, sites: Sequence[Site]) -> str:
    paths = [site.path for site in sites]
    near = difflib.get_close_matches(pattern, paths, n=3, cutoff=0.4) or paths[:3]
    hint = f" Nearest: {', '.join(near)}." if near else " The model has none."
    return (
        f"Every {name} pattern must match a rectifier's path. Received: "
        f"{name}={pattern!r}, which matches none of {len(paths)}.{hint}"
    )
