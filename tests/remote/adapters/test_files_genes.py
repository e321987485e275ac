"""Wyckoff genes among imported files: refused with a reason, or decoded by PyXtal when asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
from generator_job import data, job, load, requests, structure

from aiida_crystalgen.science.crystal import Crystal
from aiida_crystalgen.science.validity import space_group

GENE = {'group': 225, 'sites': [['4a'], ['4b']], 'species': ['Mg', 'O'], 'numIons': [4, 4]}
BROKEN = {'group': 225, 'sites': [['4a']], 'species': ['Mg'], 'numIons': [5]}
# Every site is fixed and two atoms share each: no cell has room for them.
CROWDED = {'group': 225, 'sites': [['4a'], ['4a']], 'species': ['Mg', 'O'], 'numIons': [4, 4]}


@pytest.fixture
def rows(tmp_path):
    """Return a function that imports genes and returns the finished rows."""

    def imported(genes, **parameters):
        path = tmp_path / 'genes.json'
        path.write_text(json.dumps(genes))
        return list(load('files').run(requests(len(genes)), job(parameters, files=path)))

    return imported


def test_genes_are_refused_unless_asked_for(rows):
    """Without `decode` a gene is a row with a reason that names the parameter."""
    (row,) = rows([GENE])
    assert row['rejected']['reason'] == 'no_coordinates'
    assert '`decode: true`' in row['rejected']['detail']


def test_decoded_gene_has_its_sites(rows):
    """Rocksalt from its gene: space group, elements and primitive cell are those of the gene."""
    (row,) = rows([GENE], decode=True)
    assert space_group(Crystal.from_row({'id': row['id'], **row['structure']}), symprec=0.01) == 225
    assert structure(row).composition.formula == 'Mg1 O1'
    assert row['columns']['decode_tries'] == 1


def test_seed_of_the_row_decides(rows):
    """The same row gives the same crystal again, another row of the same gene another one."""
    first, second = rows([GENE, GENE], decode=True)
    again, _ = rows([GENE, GENE], decode=True)
    assert first == again
    assert not np.allclose(first['structure']['cell'], second['structure']['cell'])


@pytest.mark.parametrize(('gene', 'reason'), [(BROKEN, 'unreadable'), (CROWDED, 'no_placement')])
def test_genes_that_cannot_be_decoded_are_rows_with_a_reason(rows, gene, reason):
    """A gene that contradicts itself, or whose atoms find no places, stops nothing."""
    bad, good = rows([gene, GENE], decode=True)
    assert bad['rejected']['reason'] == reason
    assert 'structure' in good


def test_columns_of_decoding_are_declared_when_it_is_asked_for(tmp_path):
    """The number of tries is a column of imports that decode, and of no other."""
    path = tmp_path / 'genes.json'
    path.write_text(json.dumps([GENE]))
    adapter = load('files')
    assert 'decode_tries' in adapter.columns(job({'decode': True}, files=path))
    assert 'decode_tries' not in adapter.columns(job(files=path))


def test_published_genes_are_decoded():
    """Genes of a trained model become crystals with the composition that they announce."""
    path = data('generators/wyformer/published/WyckoffTransformer_mp_20.json.gz')
    found = list(load('files').run(requests(5), job({'decode': True}, files=path)))
    assert [row['columns']['source_entry'] for row in found] == [str(index) for index in range(5)]
    assert sum('structure' in row for row in found) >= 4
