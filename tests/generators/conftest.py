"""A machine whose AiiDA has the Python of a generator's tool as a Code of its own."""

from __future__ import annotations

import os

import pytest

from tests.campaign.machine import Machine


@pytest.fixture(scope='module')
def machine_with(tmp_path_factory):
    """Return a factory of machines with the Code of a tool; where its environment is absent, the test is skipped."""
    machines: list[Machine] = []

    def factory(name: str, *lines: str) -> Machine:
        variable = f'CRYSTALGEN_{name.upper()}_PYTHON'
        python = os.environ.get(variable)
        if not python:
            pytest.skip(f'{variable} is not set, see tests/generators/README.md')
        machine = Machine(tmp_path_factory.mktemp(name) / 'machine')
        machine.folder.mkdir()
        machines.append(machine)
        machine.crystalgen('init')
        machine.run(
            'verdi', 'code', 'create', 'core.code.installed', '--non-interactive', '--label', name,
            '--computer', 'localhost', '--filepath-executable', python, '--prepend-text', '\n'.join(lines),
        )  # fmt: skip
        return machine

    yield factory
    for machine in machines:
        machine.run('verdi', 'profile', 'delete', '--force', '--delete-data', 'crystalgen', check=False)
