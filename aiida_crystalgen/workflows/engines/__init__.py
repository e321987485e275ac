"""DFT engines: what is registered, read without importing it, and loaded with one sentence where something is missing.

An engine is one short module, registered in the entry-point group `crystalgen.engines`, with what
`aiida_crystalgen.workflows.engines.base.Engine` describes.
"""

from __future__ import annotations

import importlib
import typing as t
from importlib.metadata import PackageNotFoundError, entry_points, version

from aiida_crystalgen import bundles
from aiida_crystalgen.workflows.engines.base import Engine, EngineError

__all__ = ['KIND', 'Engine', 'EngineError', 'about', 'load', 'missing', 'names']

KIND: t.Final = 'engine'


def names() -> list[str]:
    """Return the registered engines."""
    return bundles.names(KIND)


def about(name: str) -> dict[str, t.Any]:
    """Return what an engine says of itself, without importing it.

    :raises EngineError: when there is no such engine.
    """
    try:
        return bundles.about(KIND, name)
    except bundles.AdapterError as error:
        raise EngineError(str(error)) from error


def missing(name: str) -> str | None:
    """Return what has to be installed here before an engine can be used, None where nothing is missing."""
    told = about(name)
    absent = []
    for package in told.get('requires', []):
        try:
            version(package)
        except PackageNotFoundError:
            absent.append(package)
    if not absent:
        return None
    return f'the engine `{name}` needs {" and ".join(absent)}, which this Python does not have: {told["install"]}'


def load(name: str) -> Engine:
    """Return the module of an engine.

    :raises EngineError: when there is none, or with the extra to install when its plugin is not there.
    """
    told = missing(name)
    if told is not None:
        raise EngineError(told)
    entry = next(iter(entry_points(group=bundles.GROUPS[KIND], name=name)))
    return t.cast(Engine, importlib.import_module(entry.value))
