"""Write dossiers: a folder of files for each crystal."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from aiida_crystalgen.report.content import Content, read_content
from aiida_crystalgen.report.dossier.collect import collect
from aiida_crystalgen.report.dossier.page import picture_of, render_dossier
from aiida_crystalgen.report.dossier.powder import as_csv
from aiida_crystalgen.tools.table import ranked_order

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from aiida import orm

    from aiida_crystalgen.report.dossier.model import Dossier

PAGE: t.Final = 'index.html'
FIRST: t.Final = 20  # crystals with a dossier where the campaign has no short list


def shortlist(content: Content) -> list[str]:
    """Return the ids of the short list, the best first; of the first crystals where there is none."""
    table = content.table
    order = [row for row in ranked_order(table) if table.offsets[row + 1] > table.offsets[row]]
    if 'shortlisted' not in table.columns:
        return [table.ids[row] for row in order[:FIRST]]
    chosen = table.values('shortlisted')
    return [table.ids[row] for row in order if chosen[row]]


def write_dossiers(node: orm.WorkChainNode, folder: Path, report: Path | None = None) -> dict[str, str]:
    """Write the dossiers of the short list, and return where the page of each lies, by id, as seen from the report.

    :param report: the page that links to them, by default one in the folder above.
    """
    content = read_content(node)
    start = (report.parent if report else folder.parent).resolve()
    links = {}
    for crystal_id in shortlist(content):
        target = write_dossier(content, crystal_id, folder, report)
        links[crystal_id] = Path(os.path.relpath(target.resolve() / PAGE, start)).as_posix()
    return links


def write_dossier(content: Content, crystal_id: str, folder: Path, report: Path | None = None) -> Path:
    """Write the dossier of one crystal into a folder of its own, and return that."""
    dossier = collect(content, crystal_id)
    target = folder / name_of(dossier)
    target.mkdir(parents=True, exist_ok=True)
    back = Path(os.path.relpath(report.resolve(), target.resolve())).as_posix() if report else ''
    for name, text in files_of(content, dossier, back).items():
        (target / name).write_text(text, encoding='utf-8')
    return target


def name_of(dossier: Dossier) -> str:
    """Return the name of the folder of a crystal: rank, formula, id."""
    rank = [] if dossier.rank is None else [f'{dossier.rank:04d}']
    formula = ''.join(letter for letter in dossier.structure.formula if letter.isalnum())
    return '_'.join([*rank, formula, dossier.id])


def files_of(content: Content, dossier: Dossier, back: str) -> Mapping[str, str]:
    """Return the files of a dossier by name.

    :param back: where the page of the campaign lies, seen from the dossier; empty where there is none.
    """
    found = {
        PAGE: render_dossier(content, dossier, back),
        'dossier.json': json.dumps(dossier.model_dump(mode='json'), indent=1, ensure_ascii=False, allow_nan=False)
        + '\n',
        'crystal.cif': dossier.structure.cif,
    }
    picture = picture_of(content, dossier.id)
    if picture:
        found['structure.svg'] = picture
    if dossier.powder is not None:
        found['powder.csv'] = as_csv(dossier.powder)
    return found
