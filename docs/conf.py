"""Sphinx configuration."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / '_ext'))
# AiiDA makes a configuration folder when it is imported: not in the home of whoever builds the pages.
os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='crystalgen-docs-')
warnings.filterwarnings('ignore', message='Creating AiiDA configuration folder')
logging.getLogger('alembic.runtime.plugins').setLevel(logging.WARNING)

from aiida.manage.configuration import get_config  # noqa: E402

# Autodoc looks at attributes that AiiDA itself calls deprecated.
get_config(create=True).set_option('warnings.showdeprecations', False)

project = 'aiida-crystalgen'
author = 'The aiida-crystalgen developers'
project_copyright = f'2026, {author}'
release = version = version_of('aiida-crystalgen')
language = 'en-GB'

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx_click', 'sphinx_design', 'reference_tables']
exclude_patterns = ['_build']
myst_enable_extensions = ['attrs_block', 'attrs_inline', 'colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

html_theme = 'furo'
html_title = f'aiida-crystalgen {release}'
html_theme_options = {
    'source_repository': 'https://github.com/aiida-crystalgen/aiida-crystalgen/',
    'source_branch': 'main',
    'source_directory': 'docs/',
}

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
# The pages are built without the network, so the types of other packages (and of Python) cannot become links.
nitpick_ignore_regex = [('py:.*', r'.*')]
suppress_warnings = ['config.cache']
