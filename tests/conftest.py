"""Fixtures that every test may use."""

import os

for _variable in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMEXPR_NUM_THREADS'):
    os.environ.setdefault(_variable, '1')

pytest_plugins = ['aiida.tools.pytest_fixtures']


def pytest_configure(config):
    """Let AiiDA announce its temporary configuration folder."""
    config.addinivalue_line('filterwarnings', 'ignore:Creating AiiDA configuration folder:UserWarning')
