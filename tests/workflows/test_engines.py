"""What every engine has, what it says without its plugin, and the look at a crystal that all of them share."""

from importlib.metadata import PackageNotFoundError, version
from inspect import signature

import pytest
from aiida import orm

from aiida_crystalgen.workflows import engines
from aiida_crystalgen.workflows.engines import base
from aiida_crystalgen.workflows.engines.planning import numbers

FUNCTIONS = ('answer', 'prepare', 'level_of_theory', 'check', 'get_builder', 'extract', 'classify')
LIMITS = numbers('limits', 'balanced')


@pytest.mark.parametrize('name', engines.names())
def test_every_engine_follows_the_contract(name):
    """It says what it is, without being imported, and has the functions with the arguments that are passed."""
    told = engines.about(name)
    assert told['name'] == name
    assert told['kind'] == 'engine'
    assert told['summary'].endswith('.')
    assert told['codes']
    assert told['install']
    assert set(told['tasks']) <= set(base.TASKS)
    if engines.missing(name):
        pytest.skip(engines.missing(name))
    module = engines.load(name)
    for function in FUNCTIONS:
        expected = [key for key in signature(getattr(base.Engine, function)).parameters if key != 'self']
        assert list(signature(getattr(module, function)).parameters) == expected


def test_engine_without_its_plugin_names_the_extra(monkeypatch):
    """It is still listed; loading it is an error with the line that installs it."""

    def hidden(name):
        if name == 'aiida-quantumespresso':
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(engines, 'version', hidden)
    assert 'qe' in engines.names()
    with pytest.raises(engines.EngineError, match=r"pip install 'aiida-crystalgen\[qe\]'") as error:
        engines.load('qe')
    assert 'needs aiida-quantumespresso' in str(error.value)


def test_unknown_engine_is_told_the_known_ones():
    """The names are in the sentence."""
    with pytest.raises(engines.EngineError, match='choose one of: gpaw, potential, qe'):
        engines.load('castep')


def test_fingerprint_depends_on_the_content_alone():
    """Not on the order of the keys."""
    assert base.fingerprint({'a': 1, 'b': [2, 3]}) == base.fingerprint({'b': [2, 3], 'a': 1})
    assert base.fingerprint({'a': 1}) != base.fingerprint({'a': 1.5})
    assert len(base.fingerprint({})) == 16


def pair(distance, edge=4.0, symbols=('Si', 'Si')):
    """Return two atoms at a distance [A] in a cube."""
    structure = orm.StructureData(cell=[[edge, 0, 0], [0, edge, 0], [0, 0, edge]])
    for place, symbol in zip((0.0, distance), symbols, strict=True):
        structure.append_atom(position=(place, 0, 0), symbols=symbol)
    return structure


@pytest.mark.usefixtures('aiida_profile')
def test_geometry_is_judged_with_a_sentence():
    """Overlapping atoms, too many atoms, another volume; a bond is fine."""
    from aiida_crystalgen.calculations.verify import judged

    assert judged(pair(2.3), LIMITS)['fine']
    overlapping = judged(pair(0.3), LIMITS)
    assert not overlapping['fine']
    assert 'two atoms are 0.3 A apart' in overlapping['reason']
    # Across the boundary of the cell as well.
    assert not judged(pair(3.7), LIMITS)['fine']
    assert '`max_atoms` allows 1' in judged(pair(2.3), {**LIMITS, 'max_atoms': 1})['reason']
    grown = judged(pair(2.5, edge=5.0), LIMITS, before=pair(2.0))
    assert 'the volume changed by +95%' in grown['reason']
    assert grown['volume_change'] == pytest.approx(0.953125)


@pytest.mark.usefixtures('aiida_profile')
def test_functionals_of_upf_files():
    """Both forms of the file say it, short or in four parts."""
    from aiida_crystalgen.workflows.engines.pseudos import functional_of

    assert functional_of('<PP_HEADER functional="PBE" x="1"/>') == 'PBE'
    assert functional_of('<PP_HEADER functional=" SLA-PW-PBX-PBC"/>') == 'PBE'
    assert functional_of('<PP_HEADER functional="SLA PW PSX PSC"/>') == 'PBESOL'
    assert functional_of(' SLA  PW   PBE  PBE     PBE  Exchange-Correlation functional\n') == 'PBE'
    assert functional_of(' SLA  PZ   NOGX NOGC    PZ   Exchange-Correlation functional\n') == 'PZ'
    assert functional_of('nothing') == ''
