"""`reference`: sets of known crystals, added, listed, shown, ordered and fetched."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

import click

from aiida_crystalgen.cli.common import load_any, load_campaign_node, note, print_table, require_output, with_profile
from aiida_crystalgen.cli.errors import CommandError
from aiida_crystalgen.cli.lazy import Commands, LazyGroup

if t.TYPE_CHECKING:
    from aiida import orm

    from aiida_crystalgen.data.reference import ReferenceSet

COMMANDS: t.Final[Commands] = {
    'add': ('reference', 'add', 'Read known crystals from a file, a folder, a campaign or a group.'),
    'list': ('reference', 'list_', 'List the reference sets of the profile.'),
    'show': ('reference', 'show', 'Show what a set holds, and all that is known of its origin.'),
    'order': ('reference', 'order', 'Make ordered representatives of disordered crystals.'),
    'fetch': ('fetch', 'fetch', 'Write a file of known crystals from a public database.'),
}
CONVENTIONS: t.Final = ('raw_mp_pbe_u', 'mp2020', 'formation', 'other')
REASONS_SHOWN: t.Final = 3
MAX_ATOMS: t.Final = 64


@click.group(cls=LazyGroup, sections={'Commands': COMMANDS})
def reference() -> None:
    """Add, list, show, order or fetch sets of known crystals: for hulls, novelty and training.

    A campaign names a set as `set:NAME`, or a file or folder that `add` could read.
    """


@click.command()
@click.argument('path', type=click.Path(exists=True, path_type=Path), required=False)
@click.option('--campaign', metavar='PK', help='Take the table of an earlier campaign instead of a file.')
@click.option('--group', metavar='LABEL', help='Take the structures and batches of an AiiDA group instead of a file.')
@click.option('--name', help='Name of the set; default: what the file says, else its own name.')
@click.option('--level', help='Level of theory of the energies.')
@click.option('--convention', type=click.Choice(CONVENTIONS), help='Corrections that the energies have.')
@click.option('--licence', help='Licence of the data.')
@click.option('--version', 'database_version', help='Version of the database.')
@click.option('--citation', multiple=True, help='What to cite; may be given several times.')
@click.option('--partial/--complete', default=None, help='Whether crystals of its chemical systems may be missing.')
@with_profile
def add(path: Path | None, campaign: str | None, group: str | None, **facts: t.Any) -> None:
    """Add the known crystals in PATH, a file or a folder.

    Read are folders of CIFs, JSON of pymatgen's entries, files that `fetch` wrote, and tables with a column `cif`; the
    public tables MP-20, MPTS-52, Carbon-24, Perov-5, WBM and Alex-MP-20 are recognised. Options take the place of what
    a file says of itself.
    """
    from aiida_crystalgen.references.find import list_sets
    from aiida_crystalgen.references.make import NameTakenError, set_of_group, set_of_table
    from aiida_crystalgen.schema.problem import CampaignError

    if [path, campaign, group].count(None) != 2:
        raise CommandError('it is not clear what to add', 'Name one of: a PATH, `--campaign PK`, `--group LABEL`')
    given = {key: value for key, value in facts.items() if value not in (None, ())}
    given |= {'citation': list(given['citation'])} if 'citation' in given else {}
    before = {node.pk for node in list_sets()}
    try:
        if path is not None:
            found = _from_path(path, given)
        elif campaign is not None:
            node = load_campaign_node(campaign)
            found = set_of_table(t.cast(t.Any, require_output(node, 'table')), {**_facts_of(node), **given})
        else:
            nodes = _nodes_of(str(group))
            found = set_of_group(nodes, {'name': str(group), **given})
    except NameTakenError as error:
        raise CommandError(str(error), 'Give another one with `--name`') from error
    except CampaignError as error:
        raise CommandError(*_first(error)) from error
    if not found.is_stored:
        found.store()
    _print_added(found, is_new=found.pk not in before)


def _from_path(path: Path, given: dict[str, t.Any]) -> ReferenceSet:
    from aiida_crystalgen.references.make import same_as_named
    from aiida_crystalgen.references.read import load_reference

    found = load_reference(path, **given)
    if found.is_stored:
        return found
    return same_as_named(found) or found


def _first(error: t.Any) -> tuple[str, str]:
    """Return the first problem and its remedy; how many more there are."""
    first, more = error.problems[0], len(error.problems) - 1
    return first.message + (f' (and {more} more)' if more else ''), first.remedy[:1].upper() + first.remedy[1:]


def _facts_of(node: orm.WorkChainNode) -> dict[str, t.Any]:
    """Return name and convention of the energies of a campaign."""
    from aiida_crystalgen import bundles
    from aiida_crystalgen.cli.look import name_of

    links = node.base.links.get_incoming(link_label_filter='spec').all_nodes()
    potential = (links[0].base.attributes.get('potential', None) or {}) if links else {}
    if not potential:
        return {'name': name_of(node)}
    try:
        convention = bundles.about('potential', str(potential.get('type')))['energy_convention']
    except bundles.AdapterError:
        convention = None
    return {'name': name_of(node), 'convention': convention if convention in CONVENTIONS else 'other'}


def _nodes_of(label: str) -> list[orm.Data]:
    """Return the nodes of a group that hold crystals, in the order of their PKs."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_crystalgen.data.batch import StructureBatch
    from aiida_crystalgen.data.reference import ReferenceSet

    try:
        group = orm.Group.collection.get(label=label)
    except NotExistent as error:
        raise CommandError(f'there is no group `{label}`', 'See `verdi group list`') from error
    kinds = (orm.StructureData, orm.CifData, StructureBatch, ReferenceSet)
    nodes = sorted((node for node in group.nodes if isinstance(node, kinds)), key=lambda node: node.pk or 0)
    left = group.count() - len(nodes)
    if not nodes:
        raise CommandError(f'no node of the group `{label}` holds crystals', 'Add structures, CIFs or batches to it')
    if left:
        note(f'Left out: {left} nodes that hold no crystals')
    return t.cast('list[orm.Data]', nodes)


def _print_added(found: ReferenceSet, *, is_new: bool) -> None:
    """Say what was read, what not and why, and what is missing of its origin."""
    n_crystals = found.base.attributes.get('n_crystals') - found.n_unusable
    word = 'added' if is_new else 'is there already'
    click.echo(f'Reference set `{found.set_name}` (PK {found.pk}) {word}: {_number(n_crystals, "crystal", "crystals")}')
    _print_holes(found)
    if found.energy_columns:
        click.echo(f'Energies: {", ".join(found.energy_columns)}; level: {found.level or "none"}')
    if not found.licence:
        note('Its licence is unknown: give it with `--licence`')
    note(f'Use it in a campaign: references: {{phases: "set:{found.set_name}"}}')


def _print_holes(found: ReferenceSet) -> None:
    """Print which entries cannot be used, and how many are disordered."""
    if found.n_unusable:
        click.echo(f'Not usable: {found.n_unusable}')
        reasons = Counter(reason for reason in found.crystals.values('unusable_reason') if reason is not None)
        for reason, n in reasons.most_common(REASONS_SHOWN):
            click.echo(f'  {n} x {reason}')
        if len(reasons) > REASONS_SHOWN:
            click.echo(f'  {len(reasons) - REASONS_SHOWN} further reasons')
    if found.n_disordered:
        click.echo(f'Disordered: {found.n_disordered}')
        note(f'Make ordered representatives: aiida-crystalgen reference order {found.pk}')


def _number(n: int, one: str, many: str) -> str:
    return f'{n} {one if n == 1 else many}'


@click.command('list')
@with_profile
def list_() -> None:
    """List the reference sets of the profile, the newest first."""
    from aiida_crystalgen.references.find import list_sets

    found = list_sets()
    if not found:
        note('There is no reference set in this profile: aiida-crystalgen reference add PATH')
        return
    rows = []
    for node in found:
        energies = ', '.join(node.energy_columns) or None
        texts = (energies, node.level or None, node.licence or None, node.partial)
        rows.append((node.pk, node.set_name, node.base.attributes.get('n_crystals'), *texts))
    headers = ('pk', 'name', 'crystals', 'energies', 'level', 'licence', 'partial')
    print_table(headers, rows, numeric=('pk', 'crystals'))


@click.command()
@click.argument('name', metavar='NAME|PK')
@with_profile
def show(name: str) -> None:
    """Show what the set NAME (or PK) holds, and all that is known of its origin."""
    import numpy as np

    node = load_set(name)
    crystals = node.crystals
    click.secho(f'Reference set {node.pk}: {node.set_name}', bold=True)
    for key, value in node.facts.items():
        texts = value if isinstance(value, list) else ['' if value is None else str(value)]
        if key == 'partial':
            texts = ['yes, crystals of its chemical systems may be missing' if value else 'no']
        for text in texts:
            if text and key != 'name':
                click.echo(f'  {key.replace("_", " "):<18}{text}')
    elements = node.base.attributes.get('elements')
    click.echo(f'{_number(len(crystals), "entry", "entries")}, {_number(len(elements), "element", "elements")}')
    spans = zip(crystals.offsets[:-1], crystals.offsets[1:], strict=True)
    counts = Counter(len(np.unique(crystals.numbers[start:stop])) for start, stop in spans if stop > start)
    print_table(('elements', 'crystals'), sorted(counts.items()), numeric=('elements', 'crystals'))
    for column in node.energy_columns:
        known = sum(value is not None for value in crystals.values(column))
        click.echo(f'{column} [eV/atom]: known for {known}')
    _print_holes(node)


@click.command()
@click.argument('name', metavar='NAME|PK')
@click.option('--max-atoms', type=click.IntRange(min=1), default=MAX_ATOMS, show_default=True)
@click.option('--name', 'new_name', help='Name of the new set; default: the name with `ordered` after it.')
@with_profile
def order(name: str, max_atoms: int, new_name: str | None) -> None:
    """Make a set in which each disordered crystal of the set NAME (or PK) has an ordered representative.

    A representative is the smallest supercell, of at most so many atoms, with whole numbers of atoms on its mixed
    sites. A crystal without one stays as it is, with the reason.
    """
    from aiida_crystalgen.references.make import NameTakenError, set_of_ordered

    node = load_set(name)
    if not node.n_disordered:
        click.echo(f'The set `{node.set_name}` has no disordered crystals.')
        return
    try:
        found = set_of_ordered(node, new_name or f'{node.set_name} ordered', max_atoms)
    except NameTakenError as error:
        raise CommandError(str(error), 'Give another one with `--name`') from error
    click.echo(f'Reference set `{found.set_name}` (PK {found.pk}): {node.n_disordered - found.n_disordered} ordered')
    _print_holes(found)


def load_set(identifier: str) -> ReferenceSet:
    """Return a reference set by its name, PK or UUID."""
    from aiida_crystalgen.data.reference import ReferenceSet
    from aiida_crystalgen.references.find import find_set

    found = find_set(identifier)
    if found is not None:
        return found
    remedy = 'List the sets with `aiida-crystalgen reference list`'
    try:
        node = load_any(identifier)
    except CommandError as error:
        raise CommandError(f'there is no reference set `{identifier}`', remedy) from error
    if not isinstance(node, ReferenceSet):
        raise CommandError(f'node {identifier} is no reference set', remedy)
    return node
