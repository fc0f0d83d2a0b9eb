"""Frozen dataclasses to CBOR and back, by their type hints alone: how facts are written to the journal.

    dump(machine) → [1, "Worker", {"me": …, "solved": {…}}]        load(registry, row) → the equal machine

A field's hint decides its spelling: dataclasses are maps of their fields, unions of dataclasses carry the
name of the class, tuples and lists are lists, mappings are lists of pairs and sets lists of items (both
sorted by their bytes), enums are their values, floats the 8 bytes of their IEEE form, NewTypes what they
wrap.

A field declared with metadata {"journal": False} (core/facts.py: volatile) is left out and loads as its
default. Strict: an unknown field, a missing one without a default or a value of another type raises
ValueError. So a field may be *added* with a default and old rows still load; any other change needs a new
VERSION and a migration.
"""

from __future__ import annotations

import struct
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from blockedge_node.errors import PeerError
from blockedge_node.wire import codec

VERSION = 1
ROW_LIMIT = 64 * 1024 * 1024  # bytes; our own rows, so this only guards against a broken file
ROW_DEPTH = 64

SCALARS: tuple[type, ...] = (bool, int, str, bytes, types.NoneType)


@dataclass(frozen=True, slots=True)
class Codec:
    """How the values of one type are written and read; both are total on that type and raise ValueError off
    it.
    """

    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


def dump(value: object) -> bytes:
    """The row of a dataclass instance."""
    cls: Any = type(value)
    return codec.encode([VERSION, cls.__name__, codec_for(cls).dump(value)])


def load(registry: Mapping[str, type], row: bytes) -> Any:
    """The instance in `row`, of one of the registry's classes. Raises ValueError."""
    version, name, body = _row(row)
    if version != VERSION:
        raise ValueError(f"record version {version}; this node reads version {VERSION}")
    if name not in registry:
        raise ValueError(f"record of an unknown type {name!r}")
    return codec_for(registry[name]).load(body)


def dump_as(hint: Any, value: object) -> bytes:
    """Any value of the type `hint`, without a name in front."""
    return codec.encode(codec_for(hint).dump(value))


def load_as(hint: Any, row: bytes) -> Any:
    """The inverse of dump_as. Raises ValueError."""
    return codec_for(hint).load(_decode(row))


@cache
def codec_for(hint: Any) -> Codec:
    """The codec of a type hint. Raises TypeError for a hint that has no strict form, e.g. Any or object."""
    hint = _unwrapped(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is tuple:
        return _sequence(tuple, args[0]) if args[1:] == (...,) else _fixed_tuple(args)
    if origin is list:
        return _sequence(list, args[0])
    if origin in (frozenset, set):
        return _sorted_set(origin, args[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(*args)
    if not isinstance(hint, type) or origin is not None:
        raise TypeError(f"{hint!r} has no record form")
    if is_dataclass(hint):
        return _dataclass(hint)
    if issubclass(hint, Enum):
        return _enum(hint)
    if hint is float:
        return Codec(
            lambda v: struct.pack(">d", v), lambda raw: struct.unpack(">d", _expect(bytes, raw, 8))[0]
        )
    if hint in SCALARS:
        return Codec(lambda v: _expect(hint, v), lambda raw: _expect(hint, raw))
    raise TypeError(f"{hint!r} has no record form")


# ── composed types ───────────────────────────────────────────────────────────────────────────────────────


def _sequence(build: type, inner: Any) -> Codec:
    def load(raw: Any) -> Any:
        item = codec_for(inner)
        return build(item.load(entry) for entry in _expect(list, raw))

    return Codec(lambda values: [codec_for(inner).dump(value) for value in _expect(build, values)], load)


def _fixed_tuple(inners: tuple[Any, ...]) -> Codec:
    def dump(values: Any) -> Any:
        return [codec_for(inner).dump(v) for inner, v in zip(inners, _expect(tuple, values), strict=True)]

    def load(raw: Any) -> Any:
        return tuple(codec_for(inner).load(v) for inner, v in zip(inners, _expect(list, raw), strict=True))

    return Codec(dump, load)


def _sorted_set(build: type, inner: Any) -> Codec:
    def dump(values: Any) -> Any:
        return sorted((codec_for(inner).dump(value) for value in _expect(build, values)), key=codec.encode)

    def load(raw: Any) -> Any:
        items = [codec_for(inner).load(value) for value in _expect(list, raw)]
        found = build(items)
        if len(found) != len(items):
            raise ValueError("an item stands twice in a set")
        return found

    return Codec(dump, load)


def _mapping(key: Any, value: Any) -> Codec:
    def dump(items: Any) -> Any:
        pairs = [[codec_for(key).dump(k), codec_for(value).dump(v)] for k, v in items.items()]
        return sorted(pairs, key=lambda pair: codec.encode(pair[0]))

    def load(raw: Any) -> Any:
        pairs = [_expect(list, pair, 2) for pair in _expect(list, raw)]
        found = {codec_for(key).load(k): codec_for(value).load(v) for k, v in pairs}
        if len(found) != len(pairs):
            raise ValueError("a key stands twice in a mapping")
        return found

    return Codec(dump, load)


def _enum(cls: type[Enum]) -> Codec:
    def dump(value: Any) -> Any:
        return _expect(cls, value).value

    def load(raw: Any) -> Any:
        if not isinstance(raw, int | str):
            raise ValueError(f"{raw!r} is not a {cls.__name__}")
        return cls(raw)

    return Codec(dump, load)


def _dataclass(cls: type) -> Codec:
    """Fields are looked up on first use, so that classes may refer to themselves."""

    @cache
    def plan() -> dict[str, tuple[Field[Any], Codec]]:
        hints = get_type_hints(cls)
        kept = [f for f in fields(cls) if f.metadata.get("journal", True)]
        return {f.name: (f, codec_for(hints[f.name])) for f in kept}

    def dump(value: Any) -> Any:
        _expect(cls, value)
        return {name: inner.dump(getattr(value, name)) for name, (_, inner) in plan().items()}

    def load(raw: Any) -> Any:
        rows = _expect(dict, raw)
        if unknown := rows.keys() - plan().keys():
            raise ValueError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
        values = {}
        for name, (f, inner) in plan().items():
            if name in rows:
                values[name] = inner.load(rows[name])
            elif f.default is MISSING and f.default_factory is MISSING:
                raise ValueError(f"{cls.__name__} lacks its field {name}")
        return cls(**values)

    return Codec(dump, load)


def _union(members: tuple[Any, ...]) -> Codec:
    """Scalars and None tell themselves apart; dataclasses are written as [name, fields]."""
    plain: tuple[Any, ...] = tuple(_unwrapped(member) for member in members)
    scalars = [member for member in plain if member in SCALARS]
    classes: dict[str, Any] = {m.__name__: m for m in plain if isinstance(m, type) and is_dataclass(m)}
    others = [member for member in plain if member not in SCALARS and not is_dataclass(member)]
    if len(others) > 1 or (others and (classes or set(scalars) - {types.NoneType})):
        raise TypeError(f"the members of {members!r} cannot be told apart in a record")

    def dump(value: Any) -> Any:
        if type(value) in scalars:
            return value
        if type(value).__name__ in classes:
            name = type(value).__name__
            return [name, codec_for(classes[name]).dump(value)]
        if others:
            return codec_for(others[0]).dump(value)
        raise ValueError(f"a value of {type(value).__name__} is not of {members!r}")

    def load(raw: Any) -> Any:
        if type(raw) in scalars:
            return raw
        if others:
            return codec_for(others[0]).load(raw)
        name, body = _expect(list, raw, 2)
        if not isinstance(name, str) or name not in classes:
            raise ValueError(f"{name!r} is not of {members!r}")
        return codec_for(classes[name]).load(body)

    return Codec(dump, load)


# ── small parts ──────────────────────────────────────────────────────────────────────────────────────────


def _unwrapped(hint: Any) -> Any:
    """What a NewType or an Annotated stands for."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return types.NoneType if hint is None else hint


def _expect(cls: type, value: Any, length: int | None = None) -> Any:
    """`value`, if it is of `cls` (scalars exactly: a bool is no int) and of `length`."""
    fits = type(value) is cls or (cls not in SCALARS and isinstance(value, cls))
    if cls is int and isinstance(value, Enum):
        fits = isinstance(value, int)  # an IntEnum where a plain number is declared is written as that number
        value = value.value
    if not fits or (length is not None and len(value) != length):
        raise ValueError(f"{value!r} is not a {cls.__name__}" + ("" if length is None else f" of {length}"))
    return value


def _row(row: bytes) -> tuple[int, str, Any]:
    value = _decode(row)
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[1], str):
        raise ValueError("not a record")
    return value[0], value[1], value[2]


def _decode(row: bytes) -> Any:
    try:
        return codec.decode(row, ROW_LIMIT, ROW_DEPTH)
    except PeerError as error:
        raise ValueError(f"a record is not canonical CBOR: {error}") from error
