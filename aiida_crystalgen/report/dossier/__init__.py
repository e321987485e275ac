"""The dossier of a crystal: what is known of it, what is not, and how it was found; a folder of files."""

from __future__ import annotations

from aiida_crystalgen.report.dossier.collect import collect
from aiida_crystalgen.report.dossier.files import shortlist, write_dossier, write_dossiers
from aiida_crystalgen.report.dossier.model import Dossier

__all__ = ['Dossier', 'collect', 'shortlist', 'write_dossier', 'write_dossiers']
