"""A tiny adapter for tests of the engine: copper in a cube, or any kind of trouble that a row may be."""

import os
import signal
import time

ABOUT = {
    'name': 'toy',
    'kind': 'generator',
    'units': 'batch_size',
    'parameters': {'batch_size': {'type': 'int', 'default': 1}},
    'columns': {
        'drawn_with': {'kind': 'row', 'dtype': 'int', 'shape': [], 'unit': '', 'help': 'Batch.', 'level': ''},
        'edge': {'kind': 'row', 'dtype': 'float', 'shape': [], 'unit': 'A', 'help': 'Edge of the cube.', 'level': ''},
    },
}


def versions():
    """Return the version of the toy."""
    return {'toy': '1'}


def run(rows, job):
    """Make a cube of copper of every row, unless its index is asked to misbehave."""
    parameters = job.parameters
    for row in rows:
        index = row['index']
        with open(parameters['ledger'], 'a') as ledger:
            ledger.write(f'{row["id"]}\n')
        if index in parameters.get('kills_job', []):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(30)
        if index == parameters.get('kills_job_once') and not os.path.exists(parameters['ledger'] + '.killed'):
            open(parameters['ledger'] + '.killed', 'w').close()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(30)
        if 'refuses' in parameters:
            error = RuntimeError('it cannot be done')
            error.crystalgen_status = parameters['refuses']
            raise error
        if index in parameters.get('rejects', []):
            reason = parameters.get('reason', 'unwanted')
            yield {'id': row['id'], 'rejected': {'reason': reason, 'detail': 'It was asked for.', 'value': 1.0}}
            continue
        edge = 2.0 + row['seed'] / 2**32
        yield {
            'id': row['id'],
            'structure': {
                'numbers': [29],
                'positions': [[0, 0, 0]],
                'cell': [[edge, 0, 0], [0, edge, 0], [0, 0, edge]],
                'pbc': [True, True, True],
            },
            'columns': {'edge': edge, 'drawn_with': job.batch_size},
        }
