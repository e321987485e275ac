"""Fixtures that every test may use."""

import os

for _variable in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMEXPR_NUM_THREADS'):
    os.environ.setdefault(_variable, '1')

from hypothesis import settings  # noqa: E402 - the threads are counted when numpy is imported

pytest_plugins = ['aiida.tools.pytest_fixtures']

settings.register_profile('crystalgen', deadline=None, derandomize=True)
settings.register_profile('explore', deadline=None, database=None, max_examples=400)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'crystalgen'))


def pytest_configure(config):
    """Let through what AiiDA itself warns of: its temporary folder, nodes never stored, its pydantic models."""
    for message in ('Creating AiiDA configuration folder', 'Object of type <Db', '`json_encoders` is deprecated'):
        config.addinivalue_line('filterwarnings', f'ignore:{message}')
