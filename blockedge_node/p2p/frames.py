"""Opening, reading and writing libp2p streams with a deadline on every step (docs/protocol.md §2.3).

libp2p asks for multistream's greeting, waits, asks for the protocol, waits, and only then lets us ask. Whom we talk
to speaks our protocols, so all three go out at once and both answers are read before the peer's: one round trip
instead of three. On the wire nothing else changes, and a peer that does not know the protocol says so all the same.

Everything here raises Transient for a stream that broke, ended early or was too slow, PeerError for bad bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.exceptions import ParseError
from libp2p.host.exceptions import StreamFailure
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_client import MULTISELECT_PROTOCOL_ID
from libp2p.utils import encode_delim

from blockedge_node.errors import Transient
from blockedge_node.p2p.patches import BROKEN
from blockedge_node.wire import codec

PIECE: Final = 64 * 1024  # bytes of one read or write; yamux frames are no larger


async def read_exactly(stream: INetStream, count: int, timeout: float) -> bytes:
    """`count` bytes, each piece of them within `timeout` seconds."""
    data = bytearray()
    while len(data) < count:
        with _step(timeout):
            piece = await stream.read(min(PIECE, count - len(data)))
        if not piece:
            raise Transient("the stream ended early")
        data += piece
    return bytes(data)


async def read_frame(stream: INetStream, timeout: float, limit: int = codec.EXCHANGE_LIMIT) -> bytes:
    """One message: u32 length, then that many bytes."""
    length = codec.frame_length(await read_exactly(stream, 4, timeout), limit)
    return await read_exactly(stream, length, timeout)


async def write_all(stream: INetStream, data: bytes, timeout: float) -> None:
    """`data`, each piece of it within `timeout` seconds."""
    for at in range(0, len(data), PIECE):
        with _step(timeout):
            await stream.write(data[at : at + PIECE])


async def write_frame(
    stream: INetStream, payload: bytes, timeout: float, limit: int = codec.EXCHANGE_LIMIT
) -> None:
    await write_all(stream, codec.frame(payload, limit), timeout)


@contextmanager
def _step(timeout: float) -> Iterator[None]:
    """One wait for the other side."""
    try:
        with trio.fail_after(timeout):
            yield
    except trio.TooSlowError:
        raise Transient(f"the peer took longer than {timeout:g} s") from None
    except (*BROKEN, StreamFailure, ParseError) as error:
        raise Transient(f"the stream broke: {error!r}") from error


@asynccontextmanager
async def asked(
    host: IHost, peer: ID, protocol: str, question: bytes, timeout: float
) -> AsyncIterator[INetStream]:
    """A stream to `peer` on which `question` was sent as a frame and the answer is to be read; closed when the
    body ends well, reset when it does not.
    """
    greeting = [encode_delim(line.encode()) for line in (MULTISELECT_PROTOCOL_ID, protocol)]
    with _step(timeout):
        stream = await host.get_network().new_stream(peer)
    try:
        stream.set_protocol(TProtocol(protocol))
        await write_all(stream, b"".join(greeting) + codec.frame(question, codec.EXCHANGE_LIMIT), timeout)
        for line in greeting:  # the length first, one byte: a refusal is shorter
            echo = await read_exactly(stream, 1, timeout)
            if echo != line[:1] or await read_exactly(stream, len(line) - 1, timeout) != line[1:]:
                raise Transient(f"the peer does not speak {protocol}")
        yield stream
    except BaseException:
        await end_stream(stream, reset=True)
        raise
    await end_stream(stream)


async def end_stream(stream: INetStream, *, reset: bool = False) -> None:
    """Bounded, and of no consequence if it fails: the other side has its own deadlines."""
    with trio.move_on_after(1, shield=True), suppress(Exception):
        await (stream.reset() if reset else stream.close())
