"""What peer.py and serve_peer.py share: an autobahn-python session that can be awaited, over any transport.

It runs on asyncio in any case. Which half of autobahn-python carries the session, that for asyncio or that for Twisted
on an asyncio reactor, is chosen once, by `run`: see over_asyncio.py and over_twisted.py.
"""

import asyncio
import contextlib
import importlib
from typing import NamedTuple
from urllib.parse import urlsplit

from autobahn.wamp.types import ComponentConfig, PublishOptions
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)

SERIALIZERS = ("json", "msgpack", "cbor")
# json.batched: any number of messages in one of WebSocket.
SERIALIZER_NAMES = [name + mode for name in SERIALIZERS for mode in ("", ".batched")]

FRAMEWORKS = ("asyncio", "twisted")

DEFAULT_MAX_MESSAGE = 2**24
# How long a peer may take for its part of a farewell.
BYE_SECONDS = 5

# What carries sessions, once `run` has chosen.
_carrier = None


def run(framework, main):
    """Runs the coroutine function on a new event loop, with sessions over this half of autobahn-python."""
    global _carrier
    _carrier = importlib.import_module(f"over_{framework}")
    return _carrier.run(main)


class Refused(Exception):
    """The router answered HELLO with ABORT, or closed the transport instead of answering."""

    def __init__(self, reason, message=None):
        super().__init__(f"{reason} ({message})")
        self.reason = reason
        self.message = message


class Life:
    """What a session of either framework gets beside: its life as three futures, and every message it received."""

    def __init__(self, realm, authid=None, ticket=None):
        super().__init__(ComponentConfig(realm=realm))
        loop = asyncio.get_running_loop()
        self.joined = loop.create_future()
        self.left = loop.create_future()
        self.closed = loop.create_future()
        self.received = []
        self.is_compressed = False
        self._authid_wanted = authid
        self._ticket = ticket

    def onOpen(self, transport):
        # Only WebSocket has them.
        self.is_compressed = bool(getattr(transport, "websocket_extensions_in_use", None))
        return super().onOpen(transport)

    def onConnect(self):
        if self._ticket is None:
            self.join(self.config.realm)
        else:
            self.join(self.config.realm, authmethods=["ticket"], authid=self._authid_wanted)

    def onChallenge(self, challenge):
        if challenge.method != "ticket":
            raise RuntimeError(f"unexpected challenge {challenge.method}")
        return self._ticket

    def onUserError(self, fail, msg):
        """Procedures of these programs fail on purpose."""

    def onMessage(self, msg):
        self.received.append(msg)
        super().onMessage(msg)

    def onJoin(self, details):
        if not self.joined.done():
            self.joined.set_result(details)

    def onLeave(self, details):
        if not self.joined.done():
            self.joined.set_exception(Refused(details.reason, details.message))
        if not self.left.done():
            self.left.set_result(details)
        return super().onLeave(details)

    def onDisconnect(self):
        if not self.joined.done():
            self.joined.set_exception(Refused("the transport was closed before WELCOME or ABORT"))
        if not self.left.done():
            self.left.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        return super().onDisconnect()

    def messages(self, kind):
        """The received messages of this class."""
        return [msg for msg in self.received if isinstance(msg, kind)]

    async def barrier(self):
        """Returns when the router has handled all we sent, and we all it had sent us before.

        An acknowledged publication nobody receives: whatever the router owed us earlier comes first, so a
        test of "nothing more arrives" needs no pause.
        """
        await self.publish("com.roadbed.test.barrier", options=PublishOptions(acknowledge=True))

    async def bye(self):
        """GOODBYE, and the end of the transport, by force if the peer does not answer."""
        if self.is_attached():
            self.leave()
        elif self.is_connected():
            self.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_SECONDS):
                # shield: our patience ends, not the future that onDisconnect resolves.
                return await asyncio.shield(self.closed)
        if self._transport is not None:
            self._transport.abort()
        return None


class Address(NamedTuple):
    """Where a URL leads."""

    host: str | None = None
    port: int | None = None
    # Of a Unix socket.
    path: str | None = None
    is_websocket: bool = False
    is_secure: bool = False


def address(url):
    """The Address of rs://host:port, rss://host:port, unix:/path, ws://host:port/path, wss://host:port/path."""
    if url.startswith("unix:"):
        return Address(path=url.removeprefix("unix:").removeprefix("//"))
    parts = urlsplit(url)
    if parts.scheme not in ("rs", "rss", "ws", "wss") or parts.hostname is None or parts.port is None:
        raise ValueError(f"not rs://host:port, rss:, ws:, wss: or unix:/path: {url}")
    websocket = parts.scheme.startswith("ws")
    return Address(parts.hostname, parts.port, None, websocket, parts.scheme in ("rss", "wss"))


def serializer_of(name):
    """A new serializer of this name."""
    # Not before `run` has chosen: the module takes its clock from the framework, once and for all.
    from autobahn.wamp import serializer

    classes = (serializer.JsonSerializer, serializer.MsgPackSerializer, serializer.CBORSerializer)
    base, _, mode = name.partition(".")
    return dict(zip(SERIALIZERS, classes))[base](batched=mode == "batched")


def accept_deflate(response):
    """Takes the router's answer to the offer of compression."""
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)
    return None


def factory_of(url, serializer_name, session, max_message):
    """What makes the protocol for this URL; a WebSocket always offers permessage-deflate."""
    chosen = serializer_of(serializer_name)
    if not address(url).is_websocket:
        factory = _carrier.WampRawSocketClientFactory(lambda: session, chosen)
        factory.setProtocolOptions(maxMessagePayloadSize=max_message)
        return factory
    factory = _carrier.WampWebSocketClientFactory(lambda: session, url=url, serializers=[chosen])
    factory.setProtocolOptions(
        maxMessagePayloadSize=max_message,
        maxFramePayloadSize=max_message,
        perMessageCompressionOffers=[PerMessageDeflateOffer()],
        perMessageCompressionAccept=accept_deflate,
        tcpNoDelay=True,
    )
    return factory


async def open_session(url, serializer_name, session, max_message=DEFAULT_MAX_MESSAGE, authority=None):
    """Connects the session's transport; waits neither for the handshake nor for WELCOME.

    Over TLS the router's certificate has to be vouched for by `authority`, the name of a file, if there is one.
    """
    factory = factory_of(url, serializer_name, session, max_message)
    closed = await _carrier.connect(factory, address(url), authority)

    # A refused handshake makes no session, so nothing of it would ever be called.
    def transport_ended(_):
        if not session.joined.done():
            session.joined.set_exception(Refused("the transport was closed in its handshake"))

    closed.add_done_callback(transport_ended)


async def join(
    url, serializer_name, realm, max_message=DEFAULT_MAX_MESSAGE, authid=None, ticket=None, authority=None
):
    """A joined session. Raises Refused, or OSError when nobody listens."""
    session = _carrier.Session(realm, authid, ticket)
    await open_session(url, serializer_name, session, max_message, authority)
    await session.joined
    return session
