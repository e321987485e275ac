"""A window of so many children at a time, filled again whenever the one that waited longest is done."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from aiida import orm
from aiida.engine import ToContext

if t.TYPE_CHECKING:
    from aiida.engine import WorkChain


def open_window(chain: WorkChain, labels: t.Iterable[str]) -> None:
    """Note in the context what is waiting to be submitted, by label."""
    chain.ctx.waiting, chain.ctx.active = list(labels), {}


def is_open(chain: WorkChain) -> bool:
    """Say whether a child is waiting or running."""
    return bool(chain.ctx.waiting or chain.ctx.active)


def fill_window(chain: WorkChain, width: int, submit: t.Callable[[str], t.Any]) -> t.Any:
    """Submit as many as there is room for, and wait for the one that has been in the window longest."""
    active, waiting = dict(chain.ctx.active), list(chain.ctx.waiting)
    while waiting and len(active) < width:
        label = waiting.pop(0)
        active[label] = submit(label).pk
    chain.ctx.active, chain.ctx.waiting = active, waiting
    return ToContext(oldest=orm.load_node(next(iter(active.values()))))


def those_done(chain: WorkChain) -> Iterator[tuple[str, t.Any]]:
    """Yield label and node of the children that are done, and take them out of the window."""
    for label, pk in list(chain.ctx.active.items()):
        node = orm.load_node(pk)
        if node.is_terminated:
            chain.ctx.active = {name: other for name, other in chain.ctx.active.items() if name != label}
            yield label, node
