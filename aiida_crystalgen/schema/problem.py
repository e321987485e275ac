"""What is wrong in a campaign file: every problem with its line and its remedy."""

from __future__ import annotations

import difflib
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Keys: t.TypeAlias = tuple[str | int, ...]

# More names than these do not help a reader.
MOST_NAMES: t.Final = 20


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at a place given as keys and list positions from the top of the document."""

    keys: Keys
    message: str
    remedy: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a campaign; `line` counts from 1 and is None where there is no file."""

    line: int | None
    where: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = [f'line {self.line}'] if self.line is not None else []
        place += [f'`{self.where}`'] if self.where else []
        start = ', '.join(place)
        text = f'{self.message}; {self.remedy}' + ('' if self.remedy.endswith('?') else '.')
        return f'{start}: {text}' if start else text


class CampaignError(ValueError):
    """A campaign that cannot run, with all that is wrong in it."""

    def __init__(self, problems: Iterable[Problem], filepath: Path | None = None):
        self.problems = tuple(problems)
        self.filepath = filepath
        title = f'`{filepath}`' if filepath is not None else 'the campaign'
        number = f'{len(self.problems)} problem{"s" if len(self.problems) != 1 else ""}'
        super().__init__('\n  '.join([f'{title} has {number}:', *map(str, self.problems)]))


def locate(findings: Iterable[Finding], lines: Mapping[Keys, int]) -> list[Problem]:
    """Return the problems in the order of the file, each named once, with the line of the nearest key that exists."""
    unique = dict.fromkeys(findings)
    problems = [Problem(_line(f.keys, lines), dotted(f.keys), f.message, f.remedy) for f in unique]
    return sorted(problems, key=lambda problem: problem.line or 0)


def _line(keys: Keys, lines: Mapping[Keys, int]) -> int | None:
    for end in range(len(keys), -1, -1):
        if keys[:end] in lines:
            return lines[keys[:end]]
    return None


def dotted(keys: Keys) -> str:
    """Return keys as text, for example `generators[0].parameters.volume`."""
    text = ''.join(f'[{key}]' if isinstance(key, int) else f'.{key}' for key in keys)
    return text.strip('.')


def choose(word: object, known: Iterable[str]) -> str:
    """Return the remedy for a word that is not one of those known: the nearest one, or all of them."""
    names = sorted(known)
    if not names:
        return 'take it out, nothing is accepted here'
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    if near:
        return f'did you mean `{near[0]}`?'
    if len(names) <= MOST_NAMES:
        return f'choose one of: {", ".join(names)}'
    nearest = difflib.get_close_matches(str(word), names, n=5, cutoff=0.0)
    return f'choose one of the {len(names)} that are known, for example {", ".join(nearest)}'


def shown(value: object, limit: int = 40) -> str:
    """Return a value from the file as it is quoted in a message."""
    if value is None or isinstance(value, bool):
        return {None: 'nothing', True: 'true', False: 'false'}[value]
    text = str(value)
    return f'`{text}`' if len(text) <= limit else f'`{text[:limit]}...`'
