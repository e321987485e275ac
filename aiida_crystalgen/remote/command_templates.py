"""Command lines with names in braces: what is wrong with one, the names in it, and the words that it becomes.

No shell takes part: a template is cut into words as a shell would (quotes and backslashes count), then every name is
replaced inside its word, so that a value with spaces stays one word. The standard library alone, and no clock, file or
environment, so that a campaign can be checked with the same functions before anything runs.
"""

from __future__ import annotations

import difflib
import re
import shlex
import string
import typing as t

# Words that only a shell understands.
OF_A_SHELL = ('|', '||', '&', '&&', ';', '<', '>', '>>', '2>', '2>&1', '&>')
MOST_CHOICES = 12


def problem(template: str, known: t.Collection[str]) -> str:
    """Return what is wrong with a template as one sentence with its remedy, empty where nothing is.

    :param known: the names that have a value.
    """
    try:
        found = names(template)
    except ValueError as error:
        return str(error)
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            listed = near or sorted(known)[:MOST_CHOICES]
            choices = ', '.join('{' + choice + '}' for choice in listed)
            return f'the command has {{{name}}}, which stands for nothing: write {choices}, or add it to `values`'
    return ''


def names(template: str) -> list[str]:
    """Return the names in braces, each once, in their order.

    :raises ValueError: with one sentence, where the template is malformed.
    """
    found = [name for word in words(template) for _, name in _parts(word) if name is not None]
    return list(dict.fromkeys(found))


def words(template: str) -> list[str]:
    """Return the words of a template, names still in braces.

    :raises ValueError: with one sentence, where it has none or needs a shell.
    """
    try:
        found = shlex.split(template)
    except ValueError:
        raise ValueError('a quote of the command is not closed: close it, or put a backslash before it') from None
    if not found:
        raise ValueError('the command is empty: write the program and its arguments')
    for word in found:
        if word in OF_A_SHELL or re.fullmatch(r'\$[A-Za-z_]\w*(/.*)?|.*(\$\(|`).*', word):
            raise ValueError(f'the command has `{word}`, and no shell runs it: put it into a script, and call that')
    return found


def filled(template: str, values: t.Mapping[str, t.Any]) -> list[str]:
    """Return the words of a command, its names replaced.

    :raises ValueError: with one sentence, where the template is malformed.
    :raises KeyError: where a name has no value.
    """
    return [
        ''.join(text + ('' if name is None else str(values[name])) for text, name in _parts(word))
        for word in words(template)
    ]


def _parts(word: str) -> list[tuple[str, str | None]]:
    """Return the texts of a word, each with the name that follows it."""
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError:
        remedy = 'write {{ and }} for braces that are meant as such'
        raise ValueError(f'`{word}` in the command has a brace without its partner: {remedy}') from None
    for _, name, form, conversion in parts:
        if name is not None and (form or conversion or not name.isidentifier()):
            remedy = 'write one name in braces as {seed}, and {{ and }} for braces that are meant as such'
            raise ValueError(f'`{word}` in the command holds no plain name in its braces: {remedy}')
    return [(text, name) for text, name, _, _ in parts]
