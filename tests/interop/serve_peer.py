#!/usr/bin/env python3
"""Joins a router with autobahn-python and serves what a client under test can call and subscribe to.

    serve_peer.py --url rs://HOST:PORT|unix:/PATH|ws://HOST:PORT/PATH|... [--realm realm1]
                  [--serializer msgpack] [--prefix com.roadbed.test] [--framework asyncio|twisted]

Prints READY when everything is registered; runs until standard input ends. Exit code 1 with one line on
standard error if it cannot join, or if the router ends the session first. All names begin with
the prefix:

    .add2 (a, b)                    a + b
    .echo (*args, **kwargs)         the same args and kwargs
    .fail (*args, **kwargs)         the error .error with the same args and kwargs
    .slow ()                        nothing, until canceled; then prints INTERRUPTED, publishes
                                    .interrupted and answers the error wamp.error.canceled
    .running ()                     how many calls of .slow are under way
    .emit (count, *args, **kwargs)  publishes .tick count times, acknowledged: the number of the event from
                                    0, then args, and kwargs; the result is count
    .received ()                    takes what arrived on the topic .inbox: a list of [args, kwargs]
    .leave ()                       answers None, then says GOODBYE and ends with code 0
"""

import argparse
import asyncio
import sys

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallResult, PublishOptions

import common


class Service:
    """The procedures, and what they remember."""

    def __init__(self, session, prefix):
        self.session = session
        self.prefix = prefix
        self.running = 0
        self.inbox = []
        self.asked_to_leave = asyncio.Event()

    async def start(self):
        """Registers and subscribes everything."""
        procedures = {
            "add2": lambda a, b: a + b,
            "echo": CallResult,
            "fail": self.fail,
            "slow": self.slow,
            "running": self.count_running,
            "emit": self.emit,
            "received": self.received,
            "leave": self.leave,
        }
        for name, procedure in procedures.items():
            await self.session.register(procedure, f"{self.prefix}.{name}")
        await self.session.subscribe(self.arrived, f"{self.prefix}.inbox")

    def fail(self, *args, **kwargs):
        raise ApplicationError(f"{self.prefix}.error", *args, **kwargs)

    async def slow(self):
        self.running += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("INTERRUPTED", flush=True)
            self.session.publish(f"{self.prefix}.interrupted")
            raise ApplicationError("wamp.error.canceled", "by the callee") from None
        finally:
            self.running -= 1

    async def count_running(self):
        # A coroutine, as slow is: it runs after the calls that came before it.
        return self.running

    async def emit(self, count, *args, **kwargs):
        options = PublishOptions(acknowledge=True)
        for number in range(count):
            await self.session.publish(f"{self.prefix}.tick", number, *args, options=options, **kwargs)
        return count

    def arrived(self, *args, **kwargs):
        self.inbox.append([list(args), kwargs])

    def received(self):
        taken, self.inbox = self.inbox, []
        return taken

    def leave(self):
        # After the answer to this call is on its way.
        asyncio.get_running_loop().call_later(0.05, self.asked_to_leave.set)


async def stdin_ended():
    """Returns at the end of standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


async def main(options):
    """Serves; the exit code."""
    try:
        session = await common.join(
            options.url,
            options.serializer,
            options.realm,
            options.max_message,
            options.authid,
            options.ticket,
            options.authority,
        )
    except (common.Refused, OSError) as error:
        print(f"cannot join: {error}", file=sys.stderr)
        return 1
    service = Service(session, options.prefix)
    await service.start()
    print("READY", flush=True)
    wanted = [asyncio.create_task(stdin_ended()), asyncio.create_task(service.asked_to_leave.wait())]
    done, _ = await asyncio.wait([session.left, *wanted], return_when=asyncio.FIRST_COMPLETED)
    by_router = session.left in done
    if by_router:
        print("the router ended the session", file=sys.stderr)
    await session.bye()
    return 1 if by_router else 0


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    PARSER.add_argument("--url", required=True)
    PARSER.add_argument("--realm", default="realm1")
    PARSER.add_argument("--serializer", choices=common.SERIALIZER_NAMES, default="msgpack")
    PARSER.add_argument("--prefix", default="com.roadbed.test")
    PARSER.add_argument("--max-message", type=int, default=common.DEFAULT_MAX_MESSAGE)
    PARSER.add_argument("--authid")
    PARSER.add_argument("--ticket")
    PARSER.add_argument("--framework", choices=common.FRAMEWORKS, default="asyncio")
    PARSER.add_argument("--authority", help="a file in PEM: who vouches for the router, over TLS")
    OPTIONS = PARSER.parse_args()
    sys.exit(common.run(OPTIONS.framework, lambda: main(OPTIONS)))
