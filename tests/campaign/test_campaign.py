"""A whole campaign on a machine of its own, through the command line: results, provenance, caching, determinism."""

import csv
import io
import re

import pytest

from .conftest import write_campaign

SOURCES_OF_DATA = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
inside = {root.pk, *(node.pk for node in root.called_descendants)}
inputs = {node.pk for node in root.base.links.get_incoming().all_nodes()}
strays = []
for process in [root, *root.called_descendants]:
    for link in [*process.base.links.get_incoming().all(), *process.base.links.get_outgoing().all()]:
        node = link.node
        if not isinstance(node, orm.Data) or node.pk in inputs:
            continue
        creator = node.creator
        if creator is None or creator.pk not in inside:
            strays.append([process.process_label, link.link_label, node.pk])
print(json.dumps([strays, len(inside)]))
"""
STAGES = """
from aiida_crystalgen.data.invariant import check_stage
from aiida_crystalgen.data.crystals import Crystals
from aiida_crystalgen.calculations.base import BatchCalculation
problems, checked = [], 0
for job in orm.QueryBuilder().append(orm.CalcJobNode).all(flat=True):
    before = job.inputs.batch.crystals
    rejected = job.outputs.rejected.crystals if 'rejected' in job.outputs else Crystals.empty([])
    kept = job.outputs.batch.crystals
    if not len(rejected):
        rejected = kept.select([])
    problem = check_stage(before, kept, rejected)
    checked += 1
    if problem:
        problems.append([job.process_label, problem])
print(json.dumps([problems, checked]))
"""
CACHED = """
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
jobs = [node for node in root.called_descendants if isinstance(node, orm.CalcJobNode)]
print(json.dumps([[job.process_label, job.base.caching.is_created_from_cache] for job in jobs]))
"""


@pytest.fixture(scope='module')
def finished(machine):
    """Run the copper-gold campaign once and return its table as CSV."""
    machine.crystalgen('run', write_campaign(machine.folder))
    return machine.crystalgen('table', '--csv')


def rows_of(text):
    """Return the rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.campaign
def test_known_phase_is_found_on_the_hull(finished):
    """A phase of the references is found among random crystals, at its energy and marked as known."""
    rows = rows_of(finished)
    assert [row['rank'] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
    assert [row for row in rows if row['novel_known'].lower() in {'no', 'false'} and abs(float(row['e_hull'])) < 0.005]


@pytest.mark.campaign
def test_table_holds_no_trace_of_the_database(finished):
    """The CSV holds neither PK nor UUID nor time."""
    assert not re.search(r'[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-', finished)
    assert not re.search(r'20\d\d-\d\d-\d\d', finished)
    assert not {'pk', 'uuid', 'ctime', 'seconds'} & set(rows_of(finished)[0])


@pytest.mark.campaign
def test_every_data_node_has_an_origin(machine, finished):
    """Every Data node of the graph is created by a process of it or is an input of the root."""
    strays, n_processes = machine.python(SOURCES_OF_DATA)
    assert strays == []
    assert n_processes > 10


@pytest.mark.campaign
def test_rows_only_shrink_and_columns_only_grow(machine, finished):
    """The invariant holds for every job of the campaign."""
    problems, n_checked = machine.python(STAGES)
    assert problems == []
    assert n_checked >= 5


@pytest.mark.campaign
def test_trace_answers_for_every_row(machine, finished):
    """From the command line a kept and a rejected crystal, and in Python every row, lead from draw to verdict."""
    verdicts = machine.python("""
from aiida_crystalgen.workflows.campaign import CampaignWorkChain
root = orm.QueryBuilder().append(CampaignWorkChain, tag='c').order_by({'c': {'id': 'desc'}}).first(flat=True)
found = []
for output in ('table', 'rejected'):
    for name in root.outputs[output].ids:
        steps = root.tools.trace(name)
        found.append([output, steps[0].process_label, steps[-1].verdict, all(step.pk for step in steps)])
print(json.dumps(found))
""")
    assert len(verdicts) == 24
    assert {(output, verdict) for output, _, verdict, _ in verdicts} == {('table', 'kept'), ('rejected', 'rejected')}
    assert {first for _, first, _, _ in verdicts} == {'plan'}
    assert all(complete for *_, complete in verdicts)
    name = rows_of(finished)[0]['id']
    assert 'RelaxCalculation' in machine.crystalgen('trace', name)


@pytest.mark.campaign
def test_same_seed_gives_the_same_bytes(machine, finished):
    """Computed anew from the same file, the table is the same to the last byte."""
    machine.crystalgen('run', machine.folder / 'campaign.yaml', '--fresh')
    assert machine.crystalgen('table', '--csv') == finished


@pytest.mark.campaign
def test_running_again_computes_nothing(machine, finished):
    """The second run takes every job from the cache and gives the same table."""
    machine.crystalgen('run', machine.folder / 'campaign.yaml')
    cached = machine.python(CACHED)
    assert cached
    assert all(reused for _, reused in cached)
    assert machine.crystalgen('table', '--csv') == finished


@pytest.mark.campaign
def test_changed_filter_recomputes_no_job(machine, finished):
    """Another limit on the energy above the hull changes the table and costs no job."""
    limits = sorted(float(row['e_hull']) for row in rows_of(finished))
    path = write_campaign(machine.folder, e_hull=limits[len(limits) // 2], name='strict.yaml')
    machine.crystalgen('run', path)
    assert all(reused for _, reused in machine.python(CACHED))
    assert 0 < len(rows_of(machine.crystalgen('table', '--csv'))) < len(rows_of(finished))


@pytest.mark.campaign
def test_chunks_do_not_change_the_table(machine, finished):
    """Cut into small chunks the campaign gives the same table."""
    machine.crystalgen('run', write_campaign(machine.folder, chunk_size=10, name='chunks.yaml'))
    assert machine.crystalgen('table', '--csv') == finished


@pytest.mark.campaign
def test_references_change_no_generated_row(machine, finished):
    """Without the references the generator draws the same crystals, bit by bit."""
    path = write_campaign(machine.folder, references=False, name='alone.yaml')
    path.write_text(path.read_text().replace('e_hull: {max: 0.2}', 'e_hull: null'))
    machine.crystalgen('run', path, '--fresh')
    hashes = machine.python("""
chains = orm.QueryBuilder().append(orm.WorkChainNode, filters={'process_type': 'aiida.workflows:crystalgen.generate'})
print(json.dumps([chain.outputs.batch.base.caching.get_hash() for chain in chains.all(flat=True)]))
""")
    assert len(hashes) >= 2
    assert len(set(hashes)) == 1
