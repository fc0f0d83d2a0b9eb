"""The stack meter: a module rewritten so that it runs out of stack at the same call on every machine.

How deep a program may recurse would otherwise depend on how many bytes the compiler gives to a frame, and so
on the processor: a program could return on one node and trap on its neighbour, and an honest one would lose
its deposit. Instead every call adds the function's cost to a counter and takes it off at the return; above
LIMIT the program traps, long before the native stack ends.

No instruction is read. The bodies move to new indices at the end, and a wrapper takes each old one:

    functions   0 … i-1     imports                      as before
                i … n-1     wrapper of body k            counts, calls n + k, counts back
                n … 2n-i-1  body k                       byte for byte

    wrapper(params…):  height += COST;  if height >u LIMIT: unreachable
                       body(params…);   height -= COST

Calls, tables, exports and `ref.func` name functions by their old index, so they all meet the wrapper. `height`
is one more global, the last one.

**Only for modules that are valid as they came.** A module that calls function n or sets the global that does
not exist yet would be invalid before and valid *after* this pass, with the meter bypassed; `runtime.admit`
validates first.

Why LIMIT is enough and never too much: a frame takes at most 16 bytes (a spilled vector) for every 2 bytes of
body, so the largest body (256 KiB) takes 2 MiB and costs 4,104: 63 of them fit, 126 MiB of native stack out
of 192. Fifty thousand locals take 0.8 MiB and cost 50,000: 5 of them. Small functions cost 8 and more and take
about 200 bytes with their wrapper: 32,768 of them take 6 MiB.

COST, LIMIT and the wrapper's instructions decide fuel and traps: changing one is a new engine id.
"""

from __future__ import annotations

from typing import Final

from blockedge_node.executor.module import CODE, FUNCTION, GLOBAL, IMPORT, MAGIC, TYPE, Reader, sections

LIMIT: Final = 262_144
CALL: Final = 8  # of every call, whatever the function
MAX_BODY_SHARE: Final = 4096  # for the size of a body: a quarter of its bytes, at most this

# The order in which the specification wants sections (§5.5.2): the data count comes before the code.
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)

_FUNC_KIND, _GLOBAL_KIND = 0, 3
_I32, _MUTABLE = 0x7F, 0x01
_UNREACHABLE, _IF, _END, _CALL = 0x00, 0x04, 0x0B, 0x10
_LOCAL_GET, _GLOBAL_GET, _GLOBAL_SET, _I32_CONST = 0x20, 0x23, 0x24, 0x41
_I32_GT_U, _I32_ADD, _I32_SUB, _VOID = 0x4B, 0x6A, 0x6B, 0x40


def meter(wasm: bytes) -> bytes:
    """The metered module, without custom sections; `wasm` must be valid, with imports of functions only."""
    found = {kind: section for kind, section in sections(wasm) if kind}
    params = _param_counts(found.get(TYPE))
    imported = _imported_functions(found.get(IMPORT))
    types = _vector_of_u32(found.get(FUNCTION))
    height = found[GLOBAL].fork().u32() if GLOBAL in found else 0
    bodies = _bodies(found.get(CODE))

    wrappers = []
    for index, (kind, body) in enumerate(zip(types, bodies, strict=True)):
        count = params[kind]
        code = _wrapper(
            params=count,
            target=imported + len(types) + index,
            height=height,
            cost=cost(params=count, locals=_local_count(body), body=body.size),
        )
        wrappers.append(unsigned(len(code)) + code)

    contents = {kind: section.rest() for kind, section in found.items()}
    if types:
        twice = b"".join(map(unsigned, types)) * 2
        contents[FUNCTION] = unsigned(2 * len(types)) + twice
        contents[GLOBAL] = _with_one_more(found.get(GLOBAL), bytes((_I32, _MUTABLE, _I32_CONST, 0, _END)))
        originals = (unsigned(body.size) + body.rest() for body in bodies)
        contents[CODE] = unsigned(2 * len(types)) + b"".join((*wrappers, *originals))
    return MAGIC + b"".join(
        bytes((kind,)) + unsigned(len(contents[kind])) + contents[kind] for kind in _ORDER if kind in contents
    )


def cost(*, params: int, locals: int, body: int) -> int:
    """What a call takes of LIMIT; `body` is the size of the function's code entry in bytes."""
    return CALL + params + locals + min(body // 4, MAX_BODY_SHARE)


def wrappers(wasm: bytes) -> range:
    """The indices of the functions that `meter(wasm)` wraps: where a trap of the meter comes from."""
    found = dict(sections(wasm))
    imported = _imported_functions(found.get(IMPORT))
    return range(imported, imported + len(_vector_of_u32(found.get(FUNCTION))))


def _wrapper(*, params: int, target: int, height: int, cost: int) -> bytes:
    get, put = bytes((_GLOBAL_GET,)) + unsigned(height), bytes((_GLOBAL_SET,)) + unsigned(height)
    price = bytes((_I32_CONST,)) + signed(cost)
    return b"".join(
        (
            b"\0",  # no locals
            get + price + bytes((_I32_ADD,)) + put,
            get + bytes((_I32_CONST,)) + signed(LIMIT) + bytes((_I32_GT_U, _IF, _VOID, _UNREACHABLE, _END)),
            *(bytes((_LOCAL_GET,)) + unsigned(index) for index in range(params)),
            bytes((_CALL,)) + unsigned(target),
            get + price + bytes((_I32_SUB,)) + put,
            bytes((_END,)),
        )
    )


def _param_counts(section: Reader | None) -> list[int]:
    """Per type, how many parameters it takes."""
    counts = []
    if section is not None:
        reader = section.fork()
        for _ in range(reader.u32()):
            counts.append(len(reader.function_type()[0]))
    return counts


def _imported_functions(section: Reader | None) -> int:
    """How many imports there are: all of them are functions (`interface.check` has seen to it)."""
    return 0 if section is None else section.fork().u32()


def _vector_of_u32(section: Reader | None) -> list[int]:
    if section is None:
        return []
    reader = section.fork()
    return [reader.u32() for _ in range(reader.u32())]


def _bodies(section: Reader | None) -> list[Reader]:
    if section is None:
        return []
    reader = section.fork()
    return [reader.take(reader.u32()) for _ in range(reader.u32())]


def _local_count(body: Reader) -> int:
    reader = body.fork()
    count = 0
    for _ in range(reader.u32()):
        count += reader.u32()
        reader.value_type()
    return count


def _with_one_more(section: Reader | None, entry: bytes) -> bytes:
    """The section's content with `entry` appended to its vector."""
    if section is None:
        return unsigned(1) + entry
    reader = section.fork()
    count = reader.u32()
    return unsigned(count + 1) + reader.rest() + entry


def unsigned(value: int) -> bytes:
    """LEB128 of a number ≥ 0."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Signed LEB128 of a number ≥ 0, as the operand of i32.const."""
    out = bytearray()
    while value > 0x3F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
