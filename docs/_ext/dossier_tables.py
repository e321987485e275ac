"""The keys of `dossier.json`, from its model."""

from __future__ import annotations

import typing as t

from markdown_text import code, table
from pydantic import BaseModel


def dossier() -> str:
    """Return every key with form and meaning, a table for each part, the whole first."""
    from aiida_crystalgen.report.dossier.model import Dossier

    parts: list[type[BaseModel]] = [Dossier]
    for part in parts:
        parts += [model for model in _models(part) if model not in parts]
    return '\n'.join(_section(part) for part in parts)


def _section(part: type[BaseModel]) -> str:
    fields = part.model_fields.items()
    rows = [(code(name), _form(field.annotation), field.description or '') for name, field in fields]
    heading = 'The whole' if part.__name__ == 'Dossier' else part.__name__
    return f'## {heading}\n\n{part.__doc__}\n\n{table(("key", "form", "meaning"), rows)}'


def _models(part: type[BaseModel]) -> list[type[BaseModel]]:
    found = [kind for field in part.model_fields.values() for kind in _leaves(field.annotation)]
    return list(dict.fromkeys(kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel)))


def _leaves(annotation: t.Any) -> list[t.Any]:
    inner = t.get_args(annotation)
    return [leaf for one in inner for leaf in _leaves(one)] if inner else [annotation]


def _form(annotation: t.Any) -> str:
    """Return the form of a value as JSON has it."""
    origin, inner = t.get_origin(annotation), t.get_args(annotation)
    if origin is t.Literal:
        return ', '.join(map(str, inner))
    if origin is tuple:
        return f'list of {_form(inner[0])}'
    if origin is dict:
        return 'object' if inner[1] is t.Any else f'object of {_form(inner[1])}'
    if inner:
        return ' or '.join(_form(one) for one in inner)
    names = {str: 'text', int: 'whole number', float: 'number', bool: 'true or false', type(None): 'null', t.Any: 'any'}
    return names.get(annotation) or f'[{annotation.__name__}](#{annotation.__name__.lower()})'
