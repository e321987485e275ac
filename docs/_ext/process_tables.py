"""Tables of inputs, outputs and exit codes, from the specs of the processes."""

from __future__ import annotations

import typing as t

from markdown_text import code, table

WORKFLOWS: t.Final = (
    'campaign', 'generate', 'screen', 'committee', 'phonons', 'verify_batch', 'verify', 'engine_phonons',
    'generate_base', 'relax_base', 'analyse_base', 'phonons_base',
)  # fmt: skip
JOBS: t.Final = ('generate', 'relax', 'analyse', 'phonons')
# Inputs that every AiiDA process has.
COMMON_INPUTS: t.Final = (
    'metadata', 'handler_overrides', 'on_unhandled_failure', 'pause_on_max_iterations', 'monitors', 'remote_folder',
)  # fmt: skip
# Namespaces that hold the inputs of another process.
EXPOSED: t.Final = {
    'job': 'Inputs of the job, all but `batch`.',
    'screen': 'Inputs of `crystalgen.screen`, all but `batch`.',
    'prescreen': 'Inputs of `crystalgen.analyse_base` for the first screen, all but `batch` and `job.tables`.',
    'relax': 'Inputs of `crystalgen.relax_base`, all but `batch`.',
    'committee': 'Inputs of `crystalgen.committee`, all but `batch`.',
    'phonons': 'Inputs of `crystalgen.phonons`, all but `batch`.',
    'postscreen': 'Inputs of `crystalgen.analyse_base` for the second screen, all but `batch` and `job.tables`.',
}


def exit_codes() -> str:
    """Return the exit codes of every process; processes with the same ones share a table."""
    groups: dict[str, list[str]] = {}
    for name, process in processes().items():
        codes = sorted(process.spec().exit_codes.values(), key=lambda entry: entry.status)
        rows = [(entry.status, code(label(process, entry)), entry.message) for entry in codes if entry.status]
        groups.setdefault(table(('code', 'name', 'message'), rows), []).append(name)
    return '\n'.join(
        f'## {", ".join(f"`{name}`" for name in names)}\n\n{text}' for text, names in groups.items()
    )  # fmt: skip


def label(process: t.Any, entry: t.Any) -> str:
    """Return the name of an exit code."""
    return next(name for name, other in process.spec().exit_codes.items() if other is entry or other == entry)


def processes() -> dict[str, t.Any]:
    """Return the WorkChains and CalcJobs of this package by entry point, the root first."""
    from aiida.plugins import CalculationFactory, WorkflowFactory

    found = {f'crystalgen.{name}': WorkflowFactory(f'crystalgen.{name}') for name in WORKFLOWS}
    return {**found, **{f'crystalgen.{name} (job)': CalculationFactory(f'crystalgen.{name}') for name in JOBS}}


def process_ports() -> str:
    """Return summary, inputs and outputs of every process."""
    parts = []
    for name, process in processes().items():
        spec = process.spec()
        inputs, outputs = list(ports(spec.inputs)), list(ports(spec.outputs))
        parts.append(
            f'### `{name}`\n\n{summary(process)}\n\n**Inputs**\n\n{table(("name", "type", "", "meaning"), inputs)}\n'
            f'**Outputs**\n\n{table(("name", "type", "", "meaning"), outputs)}'
        )
    return '\n'.join(parts)


def summary(process: t.Any) -> str:
    """Return the docstring of a process."""
    import inspect

    return f'`{process.__module__}.{process.__name__}`. {inspect.getdoc(process) or ""}'


def ports(namespace: t.Any, prefix: str = '') -> t.Iterator[tuple[str, str, str, str]]:
    """Yield name, type, whether it is needed, and meaning of every port of a namespace."""
    from aiida.engine.processes.ports import PortNamespace

    for name, port in namespace.items():
        if name in COMMON_INPUTS:
            continue
        dotted = f'{prefix}{name}'
        if isinstance(port, PortNamespace) and name in EXPOSED:
            yield code(f'{dotted}.*'), '', '', EXPOSED[name]
        elif isinstance(port, PortNamespace):
            if port.help:
                yield code(f'{dotted}.*'), types_of(port), 'optional', port.help or ''
            yield from ports(port, f'{dotted}.')
        else:
            yield code(dotted), types_of(port), '' if port.required else 'optional', port.help or ''


def types_of(port: t.Any) -> str:
    """Return the types that a port takes."""
    valid = port.valid_type
    kinds = valid if isinstance(valid, (tuple, list)) else [valid]
    return ' or '.join(code(kind.__name__) for kind in kinds if kind not in (None, type(None)))


def calcfunctions() -> str:
    """Return the calcfunctions with the first line of their docstrings."""
    from importlib.metadata import entry_points

    from aiida.plugins import CalculationFactory

    ours = [entry.name for entry in entry_points(group='aiida.calculations') if entry.name.startswith('crystalgen.')]
    names = sorted(name for name in ours if name.partition('.')[2] not in JOBS)
    rows = [(code(name), (CalculationFactory(name).__doc__ or '').strip().partition('\n')[0]) for name in names]
    return table(('entry point', 'what it does'), rows)
