"""The command group: names, one-line helps, and where each command lives; a command is imported when it is run."""

from __future__ import annotations

import typing as t
import warnings

import click

from aiida_crystalgen.cli.lazy import Commands, LazyGroup

SECTIONS: t.Final[dict[str, Commands]] = {
    'Start': {
        'init': ('setup', 'init', 'Set up a profile, this computer and this Python.'),
        'init-qe': ('espresso', 'init_qe', 'Set up pw.x and soft PBE pseudopotentials of what is installed here.'),
        'new': ('new', 'new', 'Copy a ready-made campaign into a folder.'),
        'list': ('catalogue', 'catalogue', 'List generators, potentials, criteria, engines, campaigns or protocols.'),
    },
    'Know': {
        'reference': ('reference', 'reference', 'Add, list, show, order or fetch sets of known crystals.'),
    },
    'Run': {
        'check': ('check', 'check', 'Say everything that is wrong with a campaign file, without running it.'),
        'plan': ('plan', 'plan', 'Estimate jobs, hours and disk of a campaign file.'),
        'run': ('run', 'run', 'Run a campaign file here and now, or resume it.'),
        'launch': ('launch', 'launch', 'Hand a campaign file to the daemon.'),
        'kill': ('launch', 'kill', 'Stop a campaign that runs through the daemon.'),
        'train': ('train', 'train', 'Train or fine-tune the packaged model on your own crystals.'),
    },
    'Look': {
        'status': ('look', 'status', 'Show how far a campaign has come, or list all campaigns.'),
        'table': ('look', 'table', 'Show the ranked table.'),
        'funnel': ('look', 'funnel', 'Show how many crystals each stage kept, and what they cost.'),
        'rejected': ('look', 'rejected', 'Show which crystals were rejected, where and why.'),
        'metrics': ('metrics', 'metrics', 'Compare generators by the benchmark table of the field.'),
        'prediction': ('prediction', 'prediction', 'Show how many known crystals were found again.'),
        'rank': ('rank', 'rank', 'Rank the crystals of a finished campaign by other rules.'),
        'trace': ('trace', 'trace', 'Follow one crystal from its seed to its verdict.'),
    },
    'Share': {
        'report': ('share', 'report', 'Write one self-contained HTML page.'),
        'dossier': ('share', 'dossier', 'Write all that is known of one crystal: page, JSON, CIF, powder pattern.'),
        'export': ('export', 'export', 'Write crystals or the provenance in the formats of others.'),
        'record': ('record', 'record', 'Record whether the laboratory made a crystal, or list all attempts.'),
        'cite': ('share', 'cite', 'List references and licences of every model and data set used.'),
    },
    'Care': {
        'doctor': ('doctor', 'doctor', 'Check profile, broker, caching, Codes and disk.'),
        'check-code': ('codes', 'check_code', 'Ask a Code which adapters it can run, and with which versions.'),
    },
}
COMMANDS: t.Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
PROFILE: t.Final = 'crystalgen.profile'

# The control character tells click to keep the lines of the paragraph that follows.
HELP: t.Final = (
    'Generate, screen and rank crystals, every accept and reject in the provenance graph.\n\n'
    '\b\n'
    'A first campaign:\n'
    '  aiida-crystalgen init\n'
    '  aiida-crystalgen new quickstart\n'
    '  aiida-crystalgen run quickstart/campaign.yaml'
)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    help=HELP,
    context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 110},
)
@click.option('-p', '--profile', metavar='NAME', help='AiiDA profile to use instead of the default one.')
@click.option('--debug', is_flag=True, help='Show the traceback of an error.')
@click.version_option(package_name='aiida-crystalgen', prog_name='aiida-crystalgen')
@click.pass_context
def crystalgen(ctx: click.Context, profile: str | None, debug: bool) -> None:
    """Generate, screen and rank crystals: the group that holds all commands."""
    ctx.meta[PROFILE] = profile


def main() -> None:
    """Run the console script."""
    warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')
    crystalgen(prog_name='aiida-crystalgen')
