"""Tell the failures of MatterGen apart: those that it reports as a bare `AssertionError`, and those it passes over."""

from __future__ import annotations

import re
import typing as t

# A line of the traceback, the status of the failure, and what to say.
ASSERTIONS = (
    (
        'cond_fields_model_was_trained_on', 'untrained_condition',
        'MatterGen was asked for a property that its model was not trained on; take the condition out or another model',
    ),
    (
        'discrete_corruptions.values()) == {N}', 'wrong_steps',
        'MatterGen was given another number of steps than its model was trained with; leave `sampler_partial.N` alone',
    ),
    (
        'trained for crystal generation (i.e., with atom type denoising)', 'unfit_model',
        'MatterGen was given a composition, but its model is not one of crystal structure prediction',
    ),
    (
        'No last.ckpt found', 'unfit_model', 'the checkpoint of MatterGen has no `last.ckpt`',
    ),
    (
        'Primary config directory not found', 'unfit_model',
        'the sampling configuration of MatterGen was not found; its package on PyPI comes without, so name a folder',
    ),
)  # fmt: skip
# What its log says of a model that was trained on conditions, and of a run that follows none.
CONDITION = re.compile(r'mattergen\.property_embeddings\.PropertyEmbedding\s+name: (\w+)')
UNGUIDED = re.compile(r'^ *guidance_scale: 0(\.0*)?$', re.MULTILINE)


def failure(output: str) -> tuple[str, str]:
    """Return status and sentence of what MatterGen printed; both empty where it names no failure that is known.

    Two runs end with return code 0 all the same: one that wrote its crystals only in part, as `Got error` in its
    output, and one without guidance, at which a model that was trained on conditions ignores them.
    """
    for words, status, sentence in ASSERTIONS:
        if words in output:
            return status, sentence
    written = [line for line in output.splitlines() if line.startswith('Got error')]
    if written:
        reason = written[-1][len('Got error') :].replace('writing the generated structures to disk.', '').strip()
        return 'partial_output', f'MatterGen could not write all of its CIFs ({reason}); trust the extxyz alone'
    conditions = sorted(set(CONDITION.findall(output)))
    if conditions and UNGUIDED.search(output):
        words = f'whatever it was asked for ({", ".join(conditions)}) was ignored'
        return 'guidance_ignored', f'MatterGen ran with a guidance factor of 0: {words}; give a factor above 0'
    return '', ''


def ignored(chemical_system: str, crystals: t.Iterable[t.Iterable[str]]) -> str:
    """Return a sentence when crystals hold elements outside the system that was asked for; empty where none does.

    MatterGen masks all other elements, so that a single one shows that it drew without conditions: its command line
    does so, with return code 0, unless a guidance factor is given.

    :param crystals: the elements of each.
    """
    allowed = set(chemical_system.split('-'))
    drawn = [set(elements) for elements in crystals]
    outside = [elements for elements in drawn if not elements <= allowed]
    if not outside:
        return ''
    example = ', '.join(sorted(outside[0] - allowed))
    return (
        f'{len(outside)} of {len(drawn)} crystals hold elements outside {chemical_system} (such as {example}): '
        'MatterGen ignored the condition; give a guidance factor above 0'
    )


def symbols(structure: t.Any) -> list[str]:
    """Return the elements of a pymatgen structure."""
    return [element.symbol for element in structure.composition.elements]
