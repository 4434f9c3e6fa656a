"""What peer.py and serve_peer.py share: an autobahn-python session over RawSocket that can be awaited."""

import asyncio
import contextlib
from urllib.parse import urlsplit

import txaio
from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
from autobahn.asyncio.wamp import ApplicationSession
from autobahn.wamp import serializer
from autobahn.wamp.types import ComponentConfig, PublishOptions

SERIALIZERS = {
    "json": serializer.JsonSerializer,
    "msgpack": serializer.MsgPackSerializer,
    "cbor": serializer.CBORSerializer,
}

DEFAULT_MAX_MESSAGE = 2**24
# How long a peer may take for its part of a farewell.
BYE_SECONDS = 5

# Errors that a scenario provokes are no news; what matters is in the report.
txaio.set_global_log_level("none")


class Refused(Exception):
    """The router answered HELLO with ABORT, or closed the transport instead of answering."""

    def __init__(self, reason, message=None):
        super().__init__(f"{reason} ({message})")
        self.reason = reason
        self.message = message


class Session(ApplicationSession):
    """A session whose life is three futures, and which keeps every message it received."""

    def __init__(self, realm, authid=None, ticket=None):
        super().__init__(ComponentConfig(realm=realm))
        loop = asyncio.get_running_loop()
        self.joined = loop.create_future()
        self.left = loop.create_future()
        self.closed = loop.create_future()
        self.received = []
        self._authid_wanted = authid
        self._ticket = ticket

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


def address(url):
    """("tcp", host, port) of rs://host:port, ("unix", path) of unix:/path."""
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        return ("unix", path.removeprefix("//"))
    parts = urlsplit(url)
    if parts.scheme != "rs" or parts.hostname is None or parts.port is None:
        raise ValueError(f"not rs://host:port or unix:/path: {url}")
    return ("tcp", parts.hostname, parts.port)


async def open_session(url, serializer_name, session, max_message=DEFAULT_MAX_MESSAGE):
    """Connects the session's transport; waits neither for the handshake nor for WELCOME."""
    factory = WampRawSocketClientFactory(lambda: session, SERIALIZERS[serializer_name]())
    factory.setProtocolOptions(maxMessagePayloadSize=max_message)
    loop = asyncio.get_running_loop()
    place = address(url)
    if place[0] == "unix":
        _, protocol = await loop.create_unix_connection(factory, place[1])
    else:
        _, protocol = await loop.create_connection(factory, place[1], place[2])

    # A refused RawSocket handshake makes no session, so nothing of it would ever be called.
    def transport_ended(_):
        if not session.joined.done():
            session.joined.set_exception(Refused("the transport was closed in the RawSocket handshake"))

    protocol.is_closed.add_done_callback(transport_ended)


async def join(url, serializer_name, realm, max_message=DEFAULT_MAX_MESSAGE, authid=None, ticket=None):
    """A joined session. Raises Refused, or OSError when nobody listens."""
    session = Session(realm, authid, ticket)
    await open_session(url, serializer_name, session, max_message)
    await session.joined
    return session
