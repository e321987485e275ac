"""The MACE adapter with a small model trained on EMT (see tests/assets/mace). No AiiDA, no network."""

from __future__ import annotations

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from relaxation_rows import MACE_MODEL, MACE_SHA256, as_atoms, make_job, make_row, relax_one

from aiida_crystalgen.remote.adapters import emt, mace


def crystals():
    """Yield Al, Cu and two ordered alloys."""
    yield bulk('Al', a=4.1)
    yield bulk('Cu', a=3.5)
    for n_aluminium in (1, 2):
        alloy = bulk('Cu', cubic=True, a=3.8)
        alloy.symbols[:n_aluminium] = 'Al'
        yield alloy


@pytest.mark.parametrize('crystal', list(crystals()))
def test_near_emt(crystal):
    """The relaxed energy is within 20 meV/atom of EMT, which the model was trained on, the volume within 5 %."""
    row = relax_one(mace, crystal, MACE_MODEL, trust=MACE_SHA256)
    label = relax_one(emt, crystal)
    assert row['columns']['converged']
    assert row['columns']['energy'] == pytest.approx(label['columns']['energy'], abs=0.02)
    assert as_atoms(row).get_volume() == pytest.approx(as_atoms(label).get_volume(), rel=0.05)
    atoms = as_atoms(row)
    atoms.calc = EMT()
    assert atoms.get_potential_energy() / len(atoms) == pytest.approx(label['columns']['energy'], abs=0.02)


def test_precision():
    """Single and double precision agree, and the column and the level say which it was."""
    crystal = bulk('Cu', cubic=True, a=3.7)
    crystal.rattle(0.05, seed=1)
    rows = {precision: relax_one(mace, crystal, MACE_MODEL, trust=MACE_SHA256, precision=precision, fmax=0.01)
            for precision in ('float32', 'float64')}  # fmt: skip
    for precision, row in rows.items():
        assert row['columns']['precision'] == precision
        assert row['columns']['converged']
    assert rows['float32']['columns']['energy'] == pytest.approx(rows['float64']['columns']['energy'], abs=1e-3)
    level = mace.level(make_job(MACE_MODEL, trust=MACE_SHA256, precision='float64'))
    assert level == f'mlip:mace-al_cu:{MACE_SHA256[:12]}:float64'


def test_same_row_twice():
    """The same crystal gives the same row, its model's sha256 included."""
    rows = [relax_one(mace, bulk('Al', cubic=True, a=4.2), MACE_MODEL, trust=MACE_SHA256) for _ in range(2)]
    assert rows[0] == rows[1]
    assert rows[0]['columns']['model_sha256'] == MACE_SHA256


@pytest.mark.parametrize('trust', [{}, {'trust': '0' * 64}])
def test_untrusted_file_is_not_opened(tmp_path, trust):
    """A model file is refused before it is opened unless its sha256 is named."""
    mark = tmp_path / 'opened'
    evil = tmp_path / 'evil.model'
    evil.write_bytes(f"cos\nsystem\n(S'touch {mark}'\ntR.".encode())
    with pytest.raises(ValueError, match=r'The model file has sha256 \w{64} but `trust` is'):
        next(mace.run([make_row(bulk('Cu'))], make_job(evil, **trust)))
    with pytest.raises(ValueError, match='`trust`'):
        mace.level(make_job(evil, **trust))
    assert not mark.exists()


def test_unknown_element():
    """An element outside the model is rejected by name."""
    verdict = relax_one(mace, bulk('Ni'), MACE_MODEL, trust=MACE_SHA256)['rejected']
    assert (verdict['reason'], verdict['detail']) == ('unsupported_element', 'mace-al_cu does not know Ni.')


def test_unknown_foundation_model():
    """A name that MACE does not have is answered with the names that it has."""
    with pytest.raises(ValueError, match='no foundation model `huge`; it has: small, medium,'):
        next(mace.run([], make_job(model='huge')))


def test_no_network(tmp_path, monkeypatch):
    """Without network a foundation model ends in one sentence with a remedy."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('https_proxy', 'http://127.0.0.1:9')
    with pytest.raises(RuntimeError, match=r'`small` is not in the cache and cannot be downloaded here .* its sha256.'):
        next(mace.run([], make_job(model='small')))
