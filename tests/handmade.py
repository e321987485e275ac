"""A campaign made by hand of real nodes and links, for what only reads the graph: no process is run."""

from __future__ import annotations

import io
import json
import typing as t
import zipfile

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_crystalgen.data.batch import StructureBatch
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.data.hull import HullReference
from aiida_crystalgen.data.reference import ReferenceSet
from aiida_crystalgen.data.rejections import rejected_rows

DRAW = 'a1b2c3d4e5f60718'
LEVEL = 'EMT of the tests'
NUMBER = {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'eV/atom', 'help': '', 'level': ''}
ENERGY = {**NUMBER, 'level': LEVEL}
TRUTH = {**NUMBER, 'dtype': 'bool', 'unit': ''}
WHOLE = {**NUMBER, 'dtype': 'int', 'unit': ''}
TEXT = {'kind': 'text', 'dtype': 'text', 'shape': [], 'unit': '', 'help': '', 'level': ''}
SPEC = {
    'version': 1,
    'name': 'by hand',
    'seed': 7,
    'protocol': 'fast',
    'generators': [{'type': 'random', 'label': 'random', 'n': 8, 'parameters': {'chemical_system': 'Al-Cu'}}],
    'potential': {'type': 'emt', 'parameters': {'fmax': 0.05, 'max_steps': 200, 'pressure': 0.0}},
    'filters': {'e_hull': {'max': 0.1}},
}


def al_cu(index: int, n_cu: int, lattice: float = 4.0) -> dict[str, t.Any]:
    """Return a face-centred row with `n_cu` of its four atoms Cu."""
    places = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * lattice
    return {
        'id': f'{DRAW}-{index}',
        'numbers': np.array([29] * n_cu + [13] * (4 - n_cu)),
        'positions': places,
        'cell': np.eye(3) * lattice,
        'pbc': np.ones(3, bool),
        'columns': {'generator': 'random', 'seed': 100 + index},
    }


class Graph:
    """Makes processes below a campaign and links their batches."""

    def __init__(self, computer: orm.Computer) -> None:
        self.computer = computer
        self.campaign = self._process(orm.WorkChainNode, 'crystalgen.campaign', 'CampaignWorkChain')

    def _process(self, node_class: t.Any, name: str, label: str) -> t.Any:
        group = 'calculations' if issubclass(node_class, orm.CalculationNode) else 'workflows'
        node = node_class(process_type=f'aiida.{group}:{name}')
        if node_class is orm.CalcJobNode:
            node.computer = self.computer
            node.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 1})
        node.set_process_label(label)
        return node

    def call(self, caller: t.Any, node_class: t.Any, name: str, label: str, link: str, **inputs: orm.Data) -> t.Any:
        """Return a stored process that `caller` called with inputs, finished well."""
        node = self._process(node_class, name, label)
        is_calculation = issubclass(node_class, orm.CalculationNode)
        for key, value in inputs.items():
            kind = LinkType.INPUT_CALC if is_calculation else LinkType.INPUT_WORK
            node.base.links.add_incoming(value.store(), kind, key)
        node.base.links.add_incoming(caller, LinkType.CALL_CALC if is_calculation else LinkType.CALL_WORK, link)
        node.set_process_state('finished')
        node.set_exit_status(0)
        return node.store()

    def create(self, creator: orm.CalculationNode, **outputs: orm.Data) -> None:
        """Link data to the process that made them."""
        for label, data in outputs.items():
            data.base.links.add_incoming(creator, LinkType.CREATE, label)
            data.store()
        creator.seal()

    def give(self, node: t.Any, **outputs: orm.Data) -> None:
        """Return data from a workflow."""
        for label, data in outputs.items():
            data.base.links.add_incoming(node, LinkType.RETURN, label)


def a_computer() -> orm.Computer:
    """Return a computer on which nothing will run."""
    return orm.Computer.collection.get_or_create(
        label='by_hand', hostname='localhost', transport_type='core.local', scheduler_type='core.direct'
    )[1].store()


def bundle() -> orm.SinglefileData:
    """Return a bundle that says what the real ones say."""
    about = {
        'name': 'random', 'kind': 'generator', 'licence': 'MIT', 'citation': ['A. Author, A Journal 1, 2 (2020)'],
        'module': 'adapter', 'training': None,
    }  # fmt: skip
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('about.json', json.dumps(about))
    stream.seek(0)
    return orm.SinglefileData(stream, filename='bundle.zip')


def relaxed_rows() -> list[dict[str, t.Any]]:
    """Return six rows that were drawn and kept, with energies."""
    rows = []
    for index, (n_cu, form, e_hull) in enumerate(
        [(1, -0.03, 0.02), (2, -0.08, 0.0), (3, -0.05, 0.03), (2, 0.0, 0.08), (1, 0.3, 0.35), (2, -0.08, 0.0)]
    ):
        row = al_cu(index, n_cu)
        row['columns'] |= {
            'valid_generated': True, 'formation_energy': form, 'e_hull': e_hull, 'energy': -3.0 + form,
            'space_group_relaxed': 221, 'novel_known': None if index == 2 else True, 'n_duplicates': 1,
        }  # fmt: skip
        rows.append(row)
    return rows


METAS = {
    'generator': TEXT, 'seed': WHOLE, 'valid_generated': TRUTH, 'formation_energy': ENERGY, 'e_hull': ENERGY,
    'energy': ENERGY, 'space_group_relaxed': WHOLE, 'novel_known': TRUTH, 'n_duplicates': WHOLE,
}  # fmt: skip


def make_campaign(*, finished: bool = True) -> orm.WorkChainNode:
    """Store a campaign of 8 requested crystals: 1 not drawn, 1 invalid, 2 filtered, 4 ranked."""
    graph = Graph(a_computer())
    spec = orm.Dict(SPEC).store()
    graph.campaign.base.links.add_incoming(spec, LinkType.INPUT_WORK, 'spec')
    graph.campaign.set_process_state('finished' if finished else 'waiting')
    if finished:
        graph.campaign.set_exit_status(0)
    graph.campaign.base.links.add_incoming(make_reference().store(), LinkType.INPUT_WORK, 'screen__phases')
    root = graph.campaign.store()

    draw = graph.call(root, orm.WorkChainNode, 'crystalgen.generate', 'GenerateWorkChain', 'draw_random')
    planned = graph.call(draw, orm.CalcFunctionNode, 'crystalgen.plan', 'plan', 'plan', n_crystals=orm.Int(8))
    request = StructureBatch(Crystals.empty([f'{DRAW}-{i}' for i in range(8)]))
    graph.create(planned, request=request)
    base = graph.call(
        draw, orm.WorkChainNode, 'crystalgen.generate_base', 'GenerateBaseWorkChain', 'draw', batch=request
    )
    environment = orm.Dict({'pyxtal': '1.1.5'})
    job = graph.call(
        base,
        orm.CalcJobNode,
        'crystalgen.generate',
        'GenerateCalculation',
        'iteration_01',
        batch=request,
        bundle=bundle(),
        environment=environment,
        parameters=orm.Dict({'seed': 7}),
    )
    first = {name: METAS[name] for name in ('generator', 'seed')}
    drawn = Crystals.from_rows(
        [*(al_cu(i, row['numbers'].tolist().count(29)) for i, row in enumerate(relaxed_rows())), al_cu(6, 4, 0.4)],
        first,
    )
    lost = Crystals.empty([f'{DRAW}-7'])
    reason = {'reason': 'no_placement', 'detail': 'No atoms fit.', 'value': None, 'threshold': None}
    not_drawn = StructureBatch(rejected_rows(lost, 'generate', [reason]))
    batch = StructureBatch(drawn)
    graph.create(job, batch=batch, rejected=not_drawn)

    screen = graph.call(root, orm.WorkChainNode, 'crystalgen.screen', 'ScreenWorkChain', 'screen', batch=batch)
    pre = graph.call(
        screen, orm.WorkChainNode, 'crystalgen.analyse_base', 'AnalyseBaseWorkChain', 'prescreen', batch=batch
    )
    job = graph.call(pre, orm.CalcJobNode, 'crystalgen.analyse', 'AnalyseCalculation', 'iteration_01', batch=batch)
    two = {name: METAS[name] for name in ('generator', 'seed', 'valid_generated')}
    valid = StructureBatch(Crystals.from_rows(relaxed_rows(), two))
    bad = {'reason': 'atoms_too_close', 'detail': 'Two atoms are 0.28 A apart.', 'value': 0.28, 'threshold': 0.5}
    invalid = StructureBatch(rejected_rows(drawn.select([6]), 'prescreen', [bad]))
    graph.create(job, batch=valid, rejected=invalid)

    relax = graph.call(screen, orm.WorkChainNode, 'crystalgen.relax_base', 'RelaxBaseWorkChain', 'relax', batch=valid)
    job = graph.call(relax, orm.CalcJobNode, 'crystalgen.relax', 'RelaxCalculation', 'iteration_01', batch=valid)
    crystals = Crystals.from_rows([_moved(row) for row in relaxed_rows()], METAS)
    judged = StructureBatch(crystals)
    graph.create(job, batch=judged)

    sieve = graph.call(screen, orm.CalcFunctionNode, 'crystalgen.filter', 'filter_rows', 'filter', batch=judged)
    above = {'reason': 'e_hull_above_limit', 'detail': 'e_hull 0.35 is above 0.1.', 'value': 0.35, 'threshold': 0.1}
    copy = {'reason': 'duplicate', 'detail': f'A copy of {DRAW}-1.', 'value': None, 'threshold': None}
    filtered = StructureBatch(rejected_rows(crystals.select([4, 5]), 'filter', [above, copy]))
    kept = StructureBatch(crystals.select([0, 1, 2, 3]))
    graph.create(sieve, batch=kept, rejected=filtered)
    graph.give(screen, batch=kept, rejected=filtered)

    ranking = graph.call(root, orm.CalcFunctionNode, 'crystalgen.rank', 'rank', 'rank', batch=kept)
    from aiida_crystalgen.data.crystals import make_column

    order = crystals.select([1, 0, 2, 3])
    table = StructureBatch(order.with_columns({'rank': make_column([1, 2, 3, 4], WHOLE)}))
    graph.create(ranking, result=table)
    merging = graph.call(
        root,
        orm.CalcFunctionNode,
        'crystalgen.merge',
        'merge',
        'merge_rejected',
        part_00=not_drawn,
        part_01=invalid,
        part_02=filtered,
    )
    rejected = StructureBatch(Crystals.concatenate([not_drawn.crystals, invalid.crystals, filtered.crystals]))
    graph.create(merging, result=rejected)
    counting = graph.call(root, orm.CalcFunctionNode, 'crystalgen.funnel', 'funnel', 'funnel', table=table)
    funnel = orm.Dict(FUNNEL)
    graph.create(counting, result=funnel)
    building = graph.call(screen, orm.CalcFunctionNode, 'crystalgen.build_hull', 'build_hull', 'build_hull')
    hull = make_hull()
    graph.create(building, result=hull)
    if finished:
        graph.give(root, table=table, rejected=rejected, funnel=funnel, hull=hull)
    return root


def _moved(row: dict[str, t.Any]) -> dict[str, t.Any]:
    return {**row, 'positions': row['positions'] * 1.02, 'cell': row['cell'] * 1.02}


def make_reference() -> ReferenceSet:
    """Return the set of which the hull was made, as it was given."""
    rows = [{**al_cu(index, n_cu), 'columns': {'source': 'textbook'}} for index, n_cu in enumerate((0, 4, 2))]
    return ReferenceSet(Crystals.from_rows(rows, {'source': TEXT}), name='textbook', licence='CC0-1.0')


def make_hull() -> HullReference:
    """Return Al, Cu and one compound."""
    rows = []
    for index, (n_cu, energy) in enumerate([(0, -3.0), (4, -3.5), (2, -3.33)]):
        row = al_cu(index, n_cu)
        row['columns'] = {'energy': energy, 'enthalpy': energy, 'source': 'textbook', 'fingerprint': f'{index:064d}'}
        rows.append(row)
    metas = {'energy': ENERGY, 'enthalpy': ENERGY, 'source': TEXT, 'fingerprint': TEXT}
    return HullReference(Crystals.from_rows(rows, metas), level=LEVEL, source='textbook', licence='CC0-1.0')


def _rate(count: int, low: float, high: float) -> dict[str, t.Any]:
    return {'k': count, 'n': 8, 'rate': count / 8, 'low': low, 'high': high}


def _stage(name: str, n_in: int, rejected: dict[str, int], **cost: t.Any) -> dict[str, t.Any]:
    unknown = {'seconds': None, 'evaluations': None, 'device': ''}
    return {'stage': name, 'in': n_in, 'out': n_in - sum(rejected.values()), 'rejected': rejected, **unknown, **cost}


ONE, THREE, FOUR = _rate(1, 0.0224, 0.4709), _rate(3, 0.1368, 0.6943), _rate(4, 0.2152, 0.7848)
FUNNEL = {
    'requested': 8,
    'stages': [
        _stage('generate', 8, {'no_placement': 1}, seconds=1.5, device='cpu'),
        _stage('prescreen', 7, {'atoms_too_close': 1}, seconds=0.2, device='cpu'),
        _stage('relax', 6, {}, seconds=31.0, evaluations=240, device='cpu'),
        _stage('postscreen', 6, {}),
        _stage('filter', 6, {'e_hull_above_limit': 1, 'duplicate': 1}),
    ],
    'sun': {
        '0': {'tested_only': ONE, 'untested_as_novel': ONE},
        '0.1': {'tested_only': THREE, 'untested_as_novel': FOUR},
    },
    'level': LEVEL,
    'cost': {'stages': {}, 'seconds': 32.7, 'evaluations': 240, 'seconds_per_sun': 10.9, 'evaluations_per_sun': 80.0},
}
