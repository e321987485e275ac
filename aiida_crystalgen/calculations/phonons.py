"""CalcJob and calcfunctions of phonons: rows are never lost, a crystal of which nothing is known is inconclusive."""

from __future__ import annotations

import typing as t

from aiida import orm
from aiida.engine import calcfunction

from aiida_crystalgen.calculations.base import BatchCalculation
from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals, make_column
from aiida_crystalgen.data.rejections import REJECTION_COLUMNS

if t.TYPE_CHECKING:
    from aiida.common.datastructures import CalcInfo
    from aiida.common.folders import Folder
    from aiida.engine import CalcJobProcessSpec

VERDICT: t.Final = 'phonon_verdict'
REASON: t.Final = 'phonon_reason'
_INCONCLUSIVE: t.Final = 'inconclusive'
_TEXT: t.Final = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'level': ''}
_META: t.Final = {
    VERDICT: {**_TEXT, 'help': 'stable, unstable or inconclusive, by the potential, harmonic and at 0 K'},
    REASON: {**_TEXT, 'help': 'why the verdict is what it is'},
}


@t.final
class PhononCalculation(BatchCalculation):
    """Compute the phonons of every crystal with one potential and judge their stability."""

    FOLDER_BLOBS: t.Final = 'blobs'

    _STAGE = 'phonons'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:  # type: ignore[override]
        """Define the output and the parser that the other batch jobs do not have."""
        super().define(spec)
        options: t.Any = spec.inputs['metadata']['options']  # type: ignore[index]
        options['parser_name'].default = 'crystalgen.phonons'
        spec.output(
            'force_constants',
            valid_type=orm.FolderData,
            required=False,
            help='Force constants [eV/A^2] and cells of every crystal that has them, as `<id>.npz`.',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Ask for the force constants too."""
        calcinfo = super().prepare_for_submission(folder)
        calcinfo.retrieve_temporary_list = [*(calcinfo.retrieve_temporary_list or []), self.FOLDER_BLOBS]
        return calcinfo


@calcfunction
def join_force_constants(**folders: orm.FolderData) -> orm.FolderData:
    """Join the files of at most 32 folders; of equal names the last one counts."""
    joined = orm.FolderData()
    for name in sorted(folders):
        repository = folders[name].base.repository
        for filename in repository.list_object_names():
            with repository.open(filename, mode='rb') as handle:
                joined.base.repository.put_object_from_filelike(handle, filename)
    return joined


@calcfunction
def gather_phonons(
    batch: StructureBatch, kept: StructureBatch, rejected: StructureBatch | None = None
) -> StructureBatch:
    """Return the same rows with what their phonons say; a row that was lost on the way is inconclusive.

    :param batch: the crystals whose phonons were asked for.
    :param kept: those that a job finished, with their columns.
    :param rejected: those that ended in a job, with the reason: killed twice, out of memory or time.
    """
    widened = _widened(batch.crystals, kept.crystals)
    if rejected is None:
        return StructureBatch(widened)
    lost = {row['id']: row['columns'] for row in rejected.crystals.rows()}
    rows = list(widened.rows())
    texts: dict[str, list[t.Any]] = {name: [row['columns'].get(name) for row in rows] for name in _META}
    for place, row in enumerate(rows):
        if row['id'] in lost:
            end = lost[row['id']]
            texts[VERDICT][place] = _INCONCLUSIVE
            texts[REASON][place] = f'{end["rejected_reason"]}: {end["rejected_detail"]}'
    metas = {name: widened.columns[name].meta() if name in widened.columns else _META[name] for name in _META}
    plain = widened.drop_columns([name for name in _META if name in widened.columns])
    return StructureBatch(plain.with_columns({name: make_column(texts[name], metas[name]) for name in _META}))


@calcfunction
def choose_shortlisted(table: StructureBatch) -> StructureBatch:
    """Return the rows on the short list."""
    chosen = [place for place, value in enumerate(table.crystals.values('shortlisted')) if value]
    return StructureBatch(table.crystals.select(chosen))


@calcfunction
def widen(table: StructureBatch, rows: StructureBatch) -> StructureBatch:
    """Return a table with the columns that some of its rows gained; they are unknown for the others."""
    return StructureBatch(_widened(table.crystals, rows.crystals))


def _widened(table: Crystals, rows: Crystals) -> Crystals:
    """Return crystals with the columns of some of them that they lack."""
    places = {name: place for place, name in enumerate(rows.ids)}
    new = {}
    for name, column in rows.columns.items():
        if name in table.columns or name in REJECTION_COLUMNS:
            continue
        values = rows.values(name)
        found = [values[places[row]] if row in places else None for row in table.ids]
        new[name] = make_column(found, column.meta(), table.offsets, name)
    return table.with_columns(new)
