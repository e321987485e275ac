"""Interpret a pickle without running anything that it names.

The steps of the pickle are taken one by one with a stack and a memo of its own. A global is looked up in the table
that the caller gives and never imported, so that nothing but what this table makes and plain containers can come out.
"""

from __future__ import annotations

import pickletools
import struct
import typing as t
from collections import OrderedDict

MAX_BYTES = 16 * 1024**2
# Objects of these modules are left out of what is read: a `LeftOut` stands in their place.
LEFT_OUT = ('torch_geometric.data.',)
# Only named, never called: the factories of a defaultdict.
FACTORIES = ('__builtin__.dict', '__builtin__.list', 'builtins.dict', 'builtins.list')
ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)

PUSHED = {
    'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'STRING', 'BINSTRING', 'SHORT_BINSTRING',
    'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8', 'BYTEARRAY8', 'UNICODE', 'SHORT_BINUNICODE', 'BINUNICODE',
    'BINUNICODE8', 'FLOAT', 'BINFLOAT',
}  # fmt: skip
MADE: dict[str, t.Callable[[], t.Any]] = {
    'NONE': lambda: None, 'NEWTRUE': lambda: True, 'NEWFALSE': lambda: False, 'EMPTY_TUPLE': tuple,
    'EMPTY_LIST': list, 'EMPTY_DICT': dict, 'EMPTY_SET': set,
}  # fmt: skip
# Containers made of what lies above a mark, or of a number of objects.
COLLECTED: dict[str, tuple[t.Callable[[list[t.Any]], t.Any], int | None]] = {
    'TUPLE': (tuple, None), 'TUPLE1': (tuple, 1), 'TUPLE2': (tuple, 2), 'TUPLE3': (tuple, 3), 'LIST': (list, None),
    'FROZENSET': (lambda values: frozenset(_keys(values)), None),
    'DICT': (lambda values: dict(zip(_keys(values[::2]), values[1::2])), None),
}  # fmt: skip
FILLED: dict[str, tuple[type[t.Any], int | None]] = {
    'APPEND': (list, 1), 'APPENDS': (list, None), 'SETITEM': (dict, 2), 'SETITEMS': (dict, None),
    'ADDITEMS': (set, None),
}  # fmt: skip


class UnreadableError(ValueError):
    """Why a file is not read; `reason` is `unreadable`, `unsafe` or `too_large`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class LeftOut(t.NamedTuple):
    """Stands where the pickle holds an object that is no plain data."""

    name: str


class Global(t.NamedTuple):
    """A global that the pickle names; only its name is known here."""

    name: str


class Open(t.NamedTuple):
    """An object that may get a state: `finish` takes the state and returns the object."""

    value: t.Any
    finish: t.Callable[[t.Any], t.Any]


Calls = t.Mapping[str, t.Callable[..., t.Any]]


def _plain() -> Open:
    """Make a namespace: a dictionary of its attributes."""
    fields: dict[str, t.Any] = {}
    return Open(fields, lambda state: [fields.update(state), fields][1])


def _ordered() -> Open:
    """Make an ordered dictionary; attributes of its own (torch keeps versions there) are left out."""
    value: OrderedDict[t.Any, t.Any] = OrderedDict()
    return Open(value, lambda state: value)


CALLS: Calls = {
    'argparse.Namespace': _plain,
    'types.SimpleNamespace': _plain,
    'collections.OrderedDict': _ordered,
    'collections.defaultdict': lambda factory=None: {},
    'pathlib.PosixPath': lambda *parts: '/'.join(str(part) for part in parts),
    'pathlib._local.PosixPath': lambda *parts: '/'.join(str(part) for part in parts),
}  # fmt: skip


def read(data: bytes, calls: Calls, names: t.Container[str] = (), outside: t.Callable[[t.Any], t.Any] = repr) -> t.Any:
    """Return the object of a pickle.

    :param calls: what is made for a global that is called, by its full name, beside `CALLS`.
    :param names: globals that may be named and not called.
    :param outside: makes what lies outside the pickle of its persistent id.
    :raises UnreadableError: with a sentence, where the pickle is damaged or names anything else.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError('too_large', f'the pickle in the file has more than {MAX_BYTES} bytes')
    machine = _Machine({**CALLS, **calls}, names, outside)
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name != 'STOP':
                machine.step(opcode.name, argument)
        return machine.popped(1)[0]
    except UnreadableError:
        raise
    except ERRORS as error:
        raise UnreadableError('unreadable', f'the pickle in the file is damaged: {error}') from error


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, calls: Calls, names: t.Container[str], outside: t.Callable[[t.Any], t.Any]) -> None:
        self._calls = calls
        self._names = names
        self._outside = outside
        self._stack: list[t.Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, t.Any] = {}
        # Objects that may get a state, by identity, with their places in the memo.
        self._open: dict[int, tuple[Open, list[int]]] = {}

    def step(self, name: str, argument: t.Any) -> None:
        """Take one step of the pickle."""
        if name in PUSHED:
            self._stack.append(argument)
        elif name in MADE:
            self._stack.append(MADE[name]())
        elif name in COLLECTED:
            make, count = COLLECTED[name]
            self._stack.append(make(self.popped(count)))
        elif name in FILLED:
            kind, count = FILLED[name]
            _fill(kind, self.popped(count), self._stack[-1])
        elif name in {'PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'}:
            self._remember(len(self._memo) if argument is None else int(argument))
        elif name in {'GET', 'BINGET', 'LONG_BINGET'}:
            self._stack.append(self._memo[int(argument)])
        elif name in {'GLOBAL', 'STACK_GLOBAL'}:
            words = self.popped(2) if argument is None else argument.rsplit(' ', 1)
            self._stack.append(self._known('.'.join(words)))
        elif name in {'REDUCE', 'NEWOBJ'}:
            self._call(*self.popped(2))
        elif name == 'BUILD':
            self._build(*self.popped(2))
        elif name == 'BINPERSID':
            self._stack.append(self._outside(self.popped(1)[0]))
        elif name == 'MARK':
            self._marks.append(len(self._stack))
        elif name not in {'PROTO', 'FRAME'}:
            raise UnreadableError('unsafe', f'the pickle in the file uses `{name}`, which plain data do not need')

    def popped(self, count: int | None) -> list[t.Any]:
        """Take objects from the top of the stack: so many, or those above the last mark."""
        start = self._marks.pop() if count is None else len(self._stack) - count
        if not 0 <= start <= len(self._stack):
            raise IndexError('its stack is empty')
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _remember(self, place: int) -> None:
        value = self._stack[-1]
        self._memo[place] = value
        if id(value) in self._open:
            self._open[id(value)][1].append(place)

    def _known(self, name: str) -> t.Any:
        if name.startswith(LEFT_OUT):
            return LeftOut(name)
        if name in self._calls or name in self._names or name in FACTORIES:
            return Global(name)
        raise UnreadableError('unsafe', f'the file names `{name}`, which is no plain data; it is not read')

    def _call(self, function: t.Any, arguments: t.Any) -> None:
        if isinstance(function, LeftOut):
            self._stack.append(function)
            return
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise TypeError('it calls something that is no function')
        if function.name not in self._calls:
            raise UnreadableError('unsafe', f'the file calls `{function.name}`, which is no plain data; it is not read')
        made = self._calls[function.name](*arguments)
        if isinstance(made, Open):
            self._open[id(made.value)] = (made, [])
            made = made.value
        self._stack.append(made)

    def _build(self, value: t.Any, state: t.Any) -> None:
        if not isinstance(value, LeftOut):
            opened, places = self._open[id(value)]
            value = opened.finish(state)
            for place in places:
                self._memo[place] = value
        self._stack.append(value)


def _fill(kind: type[t.Any], values: list[t.Any], target: t.Any) -> None:
    """Put objects into a container."""
    if not isinstance(target, kind):
        raise TypeError(f'it fills something that is no {kind.__name__}')
    if kind is list:
        target.extend(values)
    else:
        target.update(zip(_keys(values[::2]), values[1::2]) if kind is dict else _keys(values))


def _keys(values: list[t.Any]) -> list[t.Any]:
    """Return what may be a key; the hash of anything deep could exhaust the stack of the interpreter."""
    for value in values:
        flat = value if isinstance(value, tuple) else (value,)
        if not all(item is None or isinstance(item, (str, bytes, int, float)) for item in flat):
            raise TypeError('a key is neither text nor a number')
    return values
