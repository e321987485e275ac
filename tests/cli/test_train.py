"""Tests of `train`: what is wrong is said before any job, and a short training ends with a file of weights."""

import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_crystalgen.cli.train import _parameters, train

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


@pytest.fixture
def refused():
    """Return a function that runs the command and returns the sentence with which it ends."""

    def run(*arguments):
        result = CliRunner().invoke(train, [str(argument) for argument in arguments])
        assert result.exit_code != 0
        assert 'Traceback' not in result.output
        return result.output

    return run


def test_settings_are_read_as_values():
    """Numbers, words of truth and the form 1e-4 become what they mean."""
    found = _parameters(('rate=1e-4', 'held_out=0.2', 'tell_atoms=false', 'patience=3'), 7)
    assert found == {'epochs': 7, 'rate': 1e-4, 'held_out': 0.2, 'tell_atoms': False, 'patience': 3}


def test_unknown_settings_are_refused(refused):
    """A word that is no parameter gets the nearest one, and the list of all."""
    output = refused('1', '--code', 'python', '--set', 'epoch=3')
    assert 'did you mean `epochs`' in output
    assert 'held_out' in output
    assert 'has no value' in refused('1', '--code', 'python', '--set', 'epochs')


def test_nodes_that_are_no_crystals_are_refused(refused):
    """A missing node, another kind of node and a missing set are told apart."""
    number = orm.Int(3).store()
    assert 'no node `987654`' in refused('987654', '--code', 'python')
    assert 'it is a Int' in refused(number.pk, '--code', 'python')
    assert 'no reference set `oxides`' in refused('set:oxides', '--code', 'python')


def test_weights_and_codes_that_are_not_there_are_refused(refused):
    """The start and the Code are looked for before anything runs."""
    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.crystals import Crystals

    row = {'id': 'a', 'numbers': [3, 9], 'positions': [[0, 0, 0], [2, 2, 2]], 'cell': [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
           'pbc': [True] * 3, 'columns': {}}  # fmt: skip
    batch = StructureBatch(Crystals.from_rows([row], {})).store()
    assert 'no file of weights' in refused(batch.pk, '--code', 'python', '--from', batch.pk)
    assert 'no Code `python`' in refused(batch.pk, '--code', 'python')
