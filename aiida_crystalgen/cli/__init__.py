"""The command line: `aiida-crystalgen` and `verdi data crystalgen`."""

from __future__ import annotations

from aiida_crystalgen.cli.root import crystalgen, main

__all__ = ['crystalgen', 'main']
