"""Write reference tables from the code while the pages are built, so that no page can fall behind it.

A page holds a line `<!-- table: NAME -->`, in whose place the Markdown of a function goes.
"""

from __future__ import annotations

import re
import typing as t

from about_tables import adapters, campaign_file, columns, desirabilities
from dossier_tables import dossier
from process_tables import calcfunctions, exit_codes, process_ports

if t.TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK: t.Final = re.compile(r'^<!-- table: (\w+) -->$', re.MULTILINE)
TABLES: t.Final[dict[str, t.Callable[[], str]]] = {
    'adapters': adapters,
    'calcfunctions': calcfunctions,
    'campaign_file': campaign_file,
    'columns': columns,
    'desirabilities': desirabilities,
    'dossier': dossier,
    'exit_codes': exit_codes,
    'process_ports': process_ports,
}


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Register the extension."""
    app.connect('source-read', insert_tables)
    app.connect('autodoc-process-docstring', read_as_markdown)
    return {'version': '1', 'parallel_read_safe': True}


def insert_tables(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the tables into the text of a page."""
    source[0] = MARK.sub(lambda match: TABLES[match[1]](), source[0])


def read_as_markdown(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn backticks into code, and keep stars and bars from being taken for markup: docstrings are no reST."""
    for place, line in enumerate(lines):
        parts = re.sub(r'(?<!`)`(?!`)', '``', line).split('``')
        parts[::2] = [re.sub(r'([*|])', r'\\\1', part) for part in parts[::2]]
        lines[place] = '``'.join(parts)
