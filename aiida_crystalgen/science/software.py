"""Versions of the software that decides on a result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def versions_of(about: Mapping[str, Any]) -> dict[str, str]:
    """Return the installed versions of what an `ABOUT` requires."""
    found = {name: version(name) for name in about['requires']}
    # Where pymatgen is split in two distributions, matching and reduction lie in this one.
    with suppress(PackageNotFoundError):
        found['pymatgen-core'] = version('pymatgen-core')
    return found
