"""`node.tools` of a campaign: its results as plain values, for scripts and notebooks."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from aiida import orm
from aiida.tools.workflows import WorkflowTools

from aiida_crystalgen.tools.funnel import Funnel
from aiida_crystalgen.tools.sources import Source, sources_of
from aiida_crystalgen.tools.table import Row, ranked_order, records
from aiida_crystalgen.tools.trace import Step, trace

if t.TYPE_CHECKING:
    from pymatgen.core import Structure

    from aiida_crystalgen.data.batch import StructureBatch


@t.final
class CampaignTools(WorkflowTools):
    """What a campaign found; `load_node(PK).tools` of a CampaignWorkChain."""

    def table(self, columns: Sequence[str] | None = None, limit: int | None = None) -> list[Row]:
        """Return the ranked table, the best first, one dictionary a crystal (`pandas.DataFrame` takes it as it is)."""
        return records(self._output('table').crystals, columns, limit)

    def rejected(self, columns: Sequence[str] | None = None) -> list[Row]:
        """Return every rejected crystal with stage, reason, value and threshold."""
        return records(self._output('rejected').crystals, columns)

    def funnel(self) -> Funnel:
        """Return what each stage got, kept and cost."""
        return Funnel.from_dict(self._output('funnel').get_dict())

    def candidates(self, limit: int | None = None) -> dict[str, Structure]:
        """Return the crystals of the table by id, the best first."""
        from aiida_crystalgen.data.convert import to_pymatgen

        crystals = self._output('table').crystals
        chosen = crystals.select(ranked_order(crystals)[:limit])
        return dict(zip(chosen.ids, to_pymatgen(chosen), strict=True))

    def trace(self, crystal_id: str) -> list[Step]:
        """Return every step of a crystal, kept or rejected."""
        return trace(crystal_id, self._node)

    def sources(self) -> list[Source]:
        """Return references and licences of every model and data set used."""
        return sources_of(self._node)

    def _output(self, label: t.Literal['table', 'rejected', 'funnel']) -> t.Any:
        if label not in self._node.outputs:
            raise ValueError(f'campaign {self._node.pk} has no {label}: it is {_state(self._node)}')
        return t.cast('StructureBatch | orm.Dict', self._node.outputs[label])


def _state(node: orm.ProcessNode) -> str:
    if node.is_finished and not node.is_finished_ok:
        return f'finished with exit code {node.exit_status}'
    return str(node.process_state.value if node.process_state else 'created')
