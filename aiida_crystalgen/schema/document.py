"""Read a campaign file: YAML 1.2 values, and the line of every key."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .problem import CampaignError, Finding, Keys, Problem, locate, shown


class _Loader(yaml.SafeLoader):
    """The scalars of YAML 1.2: `1e-3` is a number, `no` (and the element No) is text."""

    yaml_implicit_resolvers = {}


for _kind, _pattern in {
    'null': r'~|null|Null|NULL|',
    'bool': r'true|True|TRUE|false|False|FALSE',
    'int': r'[-+]?[0-9]+',
    'float': r'[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?',
}.items():
    _Loader.add_implicit_resolver(f'tag:yaml.org,2002:{_kind}', re.compile(f'^(?:{_pattern})$'), None)


@dataclass(frozen=True)
class Document:
    """A file as plain values, with the line (from 1) of every key and list item, and what is wrong in its form."""

    raw: dict[str, t.Any]
    lines: dict[Keys, int]
    findings: tuple[Finding, ...]


def read_document(filepath: Path) -> Document:
    """Return the content of a YAML file.

    :raises CampaignError: where the file cannot be read at all; lesser problems are in the `findings` of the result.
    """
    node = _compose(_read_text(filepath), filepath)
    if node is None:
        raise _stop(filepath, 1, 'the file is empty', 'start from a shipped one with `aiida-crystalgen new quickstart`')
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        raise _stop(filepath, line, 'the file is not a list of `key: value` lines', 'start it with `version: 1`')
    reader = _Reader()
    raw = reader.value(node, ())
    return Document(raw, reader.lines, tuple(reader.findings))


def _stop(filepath: Path, line: int | None, message: str, remedy: str) -> CampaignError:
    return CampaignError([Problem(line, '', message, remedy)], filepath)


def _read_text(filepath: Path) -> str:
    try:
        content = filepath.read_bytes()
    except FileNotFoundError:
        raise _stop(filepath, None, 'the file does not exist', 'check the path') from None
    except IsADirectoryError:
        raise _stop(filepath, None, 'this is a folder', 'name the `campaign.yaml` inside it') from None
    except OSError as error:
        raise _stop(filepath, None, f'the file cannot be read ({error.strerror})', 'check its permissions') from None
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise _stop(filepath, line, 'the text is not UTF-8', 'save the file with the encoding UTF-8') from None


def _compose(text: str, filepath: Path) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text.count('\n', 0, error.position) + 1
        character = f'the character with the number {error.character}'
        raise _stop(filepath, line, f'{character} is not allowed in YAML', 'take it out') from None
    except yaml.MarkedYAMLError as error:
        raise _stop(filepath, *_syntax(error, text)) from None
    except RecursionError:
        raise _stop(filepath, None, 'the values are nested too deeply', 'write a flat file') from None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[int | None, str, str]:
    """Return line, message and remedy of what YAML cannot read."""
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark is not None else 0
    content = [*text.splitlines(), ''][min(number, len(text.splitlines()))]
    if '\t' in content[: len(content) - len(content.lstrip())] or '\\t' in (error.problem or ''):
        return number + 1, 'the line holds a tab', 'indent with spaces instead'
    if 'single document' in (error.context or ''):
        return number + 1, 'a second document starts here with `---`', 'keep one campaign in a file'
    remedy = 'compare indentation, colons and quotes with the lines before'
    return number + 1, f'this is not YAML ({error.problem})', remedy


@dataclass
class _Reader:
    """Turns YAML nodes into values and notes lines and findings on the way."""

    lines: dict[Keys, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    open_nodes: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, keys: Keys) -> t.Any:
        self.lines.setdefault(keys, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, keys)
        if id(node) in self.open_nodes:
            self._note(keys, 'this value contains itself', 'write it out instead of the `*name`')
            return None
        self.open_nodes.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*keys, index)) for index, item in enumerate(node.value)]
            return self._map(node, keys)
        finally:
            self.open_nodes.discard(id(node))

    def _map(self, node: yaml.Node, keys: Keys) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            here = (*keys, key)
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.tag.endswith(':str'):
                self.lines.setdefault(here, line)
                self._note(here, f'the key {shown(key)} is not text', 'put quotes round it')
            elif key in result:
                first = self.lines[here]
                self.lines[(*here, '')] = line
                self._note((*here, ''), f'the key is here twice, first in line {first}', 'keep one of the two')
            else:
                self.lines[here] = line
                result[key] = self.value(value_node, here)
        return result

    def _scalar(self, node: yaml.ScalarNode, keys: Keys) -> t.Any:
        kind = node.tag.rpartition(':')[2]
        text = str(node.value)
        if kind == 'str':
            return text
        if kind == 'null':
            return None
        if kind == 'bool':
            return text.lower() == 'true'
        try:
            number = {'int': int, 'float': float}[kind](text)
        except KeyError:
            self._note(keys, f'the tag `{node.tag}` is not allowed', 'write a plain value')
        except ValueError:
            self._note(keys, f'{shown(text)} is not a number', 'correct it')
        else:
            if math.isfinite(number):
                return number
            self._note(keys, f'{shown(text)} is too large for a number', 'write a finite number')
        return None

    def _note(self, keys: Keys, message: str, remedy: str) -> None:
        self.findings.append(Finding(keys, message, remedy))


def located(document: Document, findings: t.Iterable[Finding]) -> list[Problem]:
    """Return the problems of a document, those in its form first found included."""
    return locate([*document.findings, *findings], document.lines)
