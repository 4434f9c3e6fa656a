"""Sessions over the half of autobahn-python that is for asyncio."""

# isort: skip_file
import asyncio
import ssl

import txaio

txaio.use_asyncio()

from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
from autobahn.asyncio.wamp import ApplicationSession
from autobahn.asyncio.websocket import WampWebSocketClientFactory

import common

__all__ = ["Session", "WampRawSocketClientFactory", "WampWebSocketClientFactory", "connect", "run"]

# Errors that a scenario provokes are no news; what matters is in the report.
txaio.set_global_log_level("none")


class Session(common.Life, ApplicationSession):
    """What the library does can be awaited as it is."""


def run(main):
    """Runs the coroutine function on a new event loop."""
    return asyncio.run(main())


async def connect(factory, place, authority):
    """Connects; a future that ends with the transport."""
    loop = asyncio.get_running_loop()
    if place.path is not None:
        _, protocol = await loop.create_unix_connection(factory, place.path)
    else:
        tls = ssl.create_default_context(cafile=authority) if place.is_secure else None
        _, protocol = await loop.create_connection(factory, place.host, place.port, ssl=tls)
    return protocol.is_closed
