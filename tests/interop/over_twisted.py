"""Sessions over the half of autobahn-python that is for Twisted.

Twisted runs on an asyncio reactor, so that the scenarios are the same coroutines: what the library gives as a Deferred
becomes a future, and the other way round.
"""

# isort: skip_file
import asyncio
import functools
import inspect

from twisted.internet import asyncioreactor

# Before anything imports the reactor.
LOOP = asyncio.new_event_loop()
asyncioreactor.install(LOOP)

import txaio

txaio.use_twisted()

from autobahn.twisted.rawsocket import WampRawSocketClientFactory
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.logger import globalLogBeginner

import common

__all__ = ["Session", "WampRawSocketClientFactory", "WampWebSocketClientFactory", "connect", "run"]

# Errors that a scenario provokes are no news; what matters is in the report.
txaio.set_global_log_level("none")
globalLogBeginner.beginLoggingTo([lambda _: None], redirectStandardIO=False, discardBuffer=True)


def future(result):
    """A Deferred as a future, and anything else as it is."""
    return result.asFuture(asyncio.get_running_loop()) if isinstance(result, Deferred) else result


def deferring(function):
    """The function, with its coroutines as Deferreds: those of Twisted's own could not await futures."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        return Deferred.fromFuture(asyncio.ensure_future(result)) if inspect.isawaitable(result) else result

    return wrapper


class Session(common.Life, ApplicationSession):
    """A session whose requests are futures."""

    def call(self, *args, **kwargs):
        return future(super().call(*args, **kwargs))

    def publish(self, *args, **kwargs):
        return future(super().publish(*args, **kwargs))

    def register(self, endpoint, *args, **kwargs):
        return future(super().register(deferring(endpoint), *args, **kwargs))

    def subscribe(self, handler, *args, **kwargs):
        return future(super().subscribe(deferring(handler), *args, **kwargs))

    def _unregister(self, registration):
        return future(super()._unregister(registration))

    def _unsubscribe(self, subscription):
        return future(super()._unsubscribe(subscription))


def run(main):
    """Runs the coroutine function on the reactor's event loop."""
    # As if the reactor ran the loop.
    reactor.startRunning(installSignalHandlers=False)
    asyncio.set_event_loop(LOOP)
    return LOOP.run_until_complete(main())


async def connect(factory, place, authority):
    """Connects; a future that ends with the transport."""
    if place.path is not None:
        endpoint = UNIXClientEndpoint(reactor, place.path)
    else:
        # Twisted would ask for the address in a thread.
        host = "127.0.0.1" if place.host == "localhost" else place.host
        endpoint = TCP4ClientEndpoint(reactor, host, place.port)
    if place.is_secure:
        endpoint = wrapClientTLS(optionsForClientTLS(place.host, trusted(authority)), endpoint)
    try:
        protocol = await future(endpoint.connect(factory))
    except ConnectError as error:
        raise OSError(str(error)) from error
    return future(protocol.is_closed)


def trusted(authority):
    """The certificate in this file; None, which stands for those of the platform, without a file."""
    if authority is None:
        return None
    with open(authority, "rb") as file:
        return Certificate.loadPEM(file.read())
