"""Inputs of real jobs of a toy adapter, and of real campaigns of random metals with EMT."""

import ast
import io
import sys
from pathlib import Path

import pytest

TOY = Path(__file__).parent / 'toy_adapter.py'


def bundle_of(filepath: Path) -> bytes:
    """Return the bundle of an adapter that no package registers."""
    from aiida_crystalgen.bundles import bundle_of_files

    tree = ast.parse(filepath.read_text())
    about = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign))
    return bundle_of_files('adapter', about, {'adapter.py': filepath.read_bytes()})


@pytest.fixture
def python_code(aiida_profile_clean, aiida_code_installed):
    """Return the Code of this Python."""
    return aiida_code_installed(filepath_executable=sys.executable, default_calc_job_plugin=None, label='python')


@pytest.fixture
def toy_builder(python_code, tmp_path):
    """Return a factory of builders of a GenerateWorkChain that draws cubes of copper; `ledger` notes every attempt."""
    from aiida import orm

    from aiida_crystalgen.workflows.generate import GenerateWorkChain

    def factory(n_crystals=6, n_lanes=1, chunk_size=100, versions=None, **parameters):
        builder = GenerateWorkChain.get_builder()
        builder.n_crystals = orm.Int(n_crystals)
        builder.generator = orm.Str('toy')
        builder.n_lanes = orm.Int(n_lanes)
        builder.chunk_size = orm.Int(chunk_size)
        builder.max_iterations = orm.Int(100)
        builder.clean_workdir = orm.Bool(True)
        builder.job.code = python_code
        builder.job.bundle = orm.SinglefileData(io.BytesIO(bundle_of(TOY)), filename='bundle.zip')
        builder.job.parameters = orm.Dict({'seed': 1, 'ledger': str(tmp_path / 'ledger'), **parameters})
        builder.job.environment = orm.Dict(versions or {'toy': '1'})
        builder.job.runtime = {'processes': 2}
        return builder

    return factory


@pytest.fixture
def ledger(tmp_path):
    """Return a function that lists the ids of all attempts, in order."""
    return lambda: (tmp_path / 'ledger').read_text().split()


@pytest.fixture(scope='module')
def local_code(aiida_profile, tmp_path_factory):
    """Return a factory of Codes on this machine, in a profile that is empty when the tests of a file start."""
    from aiida import orm

    aiida_profile.reset_storage()
    computer = orm.Computer('here', 'localhost', '', 'core.local', 'core.direct').store()
    computer.set_workdir(str(tmp_path_factory.mktemp('work')))
    computer.set_minimum_job_poll_interval(0.2)
    computer.configure(safe_interval=0)

    def factory(executable, label, plugin=None):
        return orm.InstalledCode(computer, str(executable), default_calc_job_plugin=plugin, label=label).store()

    return factory
