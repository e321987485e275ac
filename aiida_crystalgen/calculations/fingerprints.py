"""Digests that identify a draw, a geometry and a way of computing energies."""

from __future__ import annotations

import hashlib
import json
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from aiida import orm

    from aiida_crystalgen.data.crystals import Crystals

DRAW_DIGITS: t.Final = 16


def canonical_json(value: t.Any) -> bytes:
    """Return JSON whose bytes depend on the content alone."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), allow_nan=False).encode()


def node_digest(node: orm.Data) -> bytes:
    """Return the sha256 of what a file, folder or dictionary node holds; names of the node itself do not enter."""
    from aiida import orm

    digest = hashlib.sha256()
    if isinstance(node, orm.Dict):
        digest.update(canonical_json(node.get_dict()))
    elif isinstance(node, orm.SinglefileData):
        digest.update(node.get_content(mode='rb'))
    else:
        for root, _, files in sorted(node.base.repository.walk()):
            for name in sorted(files):
                path = (root / name).as_posix()
                digest.update(path.encode() + b'\0' + node.base.repository.get_object_content(path, mode='rb'))
    return digest.digest()


def digest_of(nodes: Mapping[str, orm.Data]) -> str:
    """Return one sha256 over several nodes and the names under which they are used."""
    digest = hashlib.sha256()
    for name in sorted(nodes):
        digest.update(name.encode() + b'\0' + node_digest(nodes[name]))
    return digest.hexdigest()


def recipe_of(job: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what fixes the results of a job, batch aside: adapter, parameters, versions of the tool, model."""
    return {name: job[name] for name in ('bundle', 'parameters', 'environment', 'model', 'checkpoint') if name in job}


def geometry_digests(crystals: Crystals) -> list[str]:
    """Return, for every crystal, the sha256 of its numbers, positions and cell."""
    found = []
    for row in crystals.rows():
        digest = hashlib.sha256()
        for key, dtype in (('numbers', '<i2'), ('positions', '<f8'), ('cell', '<f8'), ('pbc', '?')):
            digest.update(row[key].astype(dtype).tobytes() + b'\0')
        found.append(digest.hexdigest())
    return found


def seed_of(draw: str, first: int) -> int:
    """Return the seed (32 bits) of the draw unit whose first index is given, as the harness derives it on its side."""
    return int.from_bytes(hashlib.sha256(f'{draw}-{first}'.encode()).digest()[:4], 'big')
