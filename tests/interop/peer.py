#!/usr/bin/env python3
"""Drives WAMP routers with autobahn-python, on asyncio or Twisted, and reports what it finds.

Every scenario runs at each address with each serializer and prints one line of JSON on standard output,

    {"url": "rs://127.0.0.1:1", "serializer": "json", "scenario": "call", "ok": true, "detail": null,
     "compressed": false, "ms": 12}

with "skipped": true beside "ok": true where there is nothing to try, or --known-quirks tells not to; "compressed" where permessage-deflate
was agreed on, which is always offered. The exit code is 0 only if
every scenario was ok, 1 if one was not, 2 for a wrong command line.
"""

import argparse
import asyncio
import itertools
import json
import sys
import time

import common
from scenarios import SCENARIOS

QUIRKS = ("crossbar",)


class Skip(Exception):
    """The scenario is of no use with this router."""


class Context:
    """What a scenario has: the router's address, what was asked for, and the sessions it opens."""

    def __init__(self, options, url, serializers):
        self.realm = options.realm
        self.authid = options.authid
        self.ticket = options.ticket
        self.ticket_realm = options.ticket_realm or options.realm
        self._options = options
        self._url = url
        self.is_websocket = common.address(url).is_websocket
        # Of the caller or publisher, and of the callee or subscriber.
        self.serializers = self._serializer, self._other = serializers
        # Whether a session of it was.
        self.is_compressed = False
        self._sessions = []
        self._at_end = []

    def quirk(self, router):
        """Whether the peculiarities of this router are to be put up with."""
        return self._options.known_quirks == router

    def skip(self, why):
        """Ends the scenario."""
        raise Skip(why)

    async def join(self, serializer=None, **wanted):
        """A new joined session, which says GOODBYE when the scenario is over."""
        options = self._options
        wanted.setdefault("realm", self.realm)
        wanted.setdefault("max_message", options.max_message)
        wanted.setdefault("authority", options.authority)
        session = await common.join(self._url, serializer or self._serializer, **wanted)
        self._sessions.append(session)
        self.is_compressed |= session.is_compressed
        return session

    async def pair(self):
        """Callee or subscriber, and caller or publisher: each may speak its own serializer."""
        return await self.join(self._other), await self.join()

    def drops(self, value):
        """Whether autobahn tells no one that a result cannot be written: RawSocket of Twisted does not turn what goes
        wrong into the error that the session answers, as all others do."""
        if self._options.framework != "twisted" or self.is_websocket:
            return False
        try:
            from autobahn.wamp import message  # not before the framework is chosen

            common.serializer_of(self._other).serialize(message.Yield(1, args=[value]))
        except Exception:  # OverflowError, UnicodeEncodeError, ...
            return True
        return False

    def at_end(self, function):
        """Calls it when the scenario is over, before its sessions end."""
        self._at_end.append(function)

    async def close(self):
        """GOODBYE for all, the last opened first."""
        for function in self._at_end:
            function()
        while self._sessions:
            await self._sessions.pop().bye()


async def run(name, options, url, serializer):
    """Runs one scenario; its line."""
    function, _ = SCENARIOS[name]
    context = Context(options, url, pair_of(serializer))
    line = {"url": url, "serializer": serializer, "scenario": name, "ok": True, "detail": None}
    begin = time.monotonic()
    try:
        try:
            async with asyncio.timeout(options.timeout):
                line["detail"] = await function(context)
        finally:
            await context.close()
    except Skip as skip:
        line.update(skipped=True, detail=str(skip))
    except TimeoutError:
        line.update(ok=False, detail=f"nothing happened for {options.timeout} s")
    except Exception as error:  # Whatever it is, the other scenarios still run.
        line.update(ok=False, detail=f"{type(error).__name__}: {error}")
    line["compressed"] = context.is_compressed
    line["ms"] = round((time.monotonic() - begin) * 1000)
    return line


def pair_of(serializer):
    """The two serializers of json+cbor; those of json are the same."""
    one, _, other = serializer.partition("+")
    return one, other or one


def chosen(options, groups):
    """The names of the scenarios to run, of these groups unless they are named."""
    if options.scenario != ["all"]:
        return options.scenario
    return [name for name, (_, group) in SCENARIOS.items() if group in groups]


async def main(options):
    """All chosen scenarios, one after the other; whether all were ok."""
    ok = True
    groups = {"basic"} if options.ticket is None else {"basic", "ticket"}
    for urls, groups_there in ((options.url, groups), (options.large_url, {"large"})):
        for url, serializer in itertools.product(urls, options.serializer):
            one, other = pair_of(serializer)
            if groups_there == {"large"} and one != other:
                # It takes long, and shows nothing that shorter payloads do not.
                continue
            for name in chosen(options, groups_there):
                line = await run(name, options, url, serializer)
                ok = ok and line["ok"]
                print(json.dumps(line), flush=True)
    return ok


def serializers(text):
    """A value of --serializer."""
    for name in pair_of(text):
        if name not in common.SERIALIZER_NAMES:
            raise argparse.ArgumentTypeError(f"no serializer {name!r}")
    return text


def command_line():
    """The options."""
    parser = argparse.ArgumentParser(description="Drives a WAMP router with autobahn-python.")
    parser.add_argument(
        "--url",
        action="append",
        help="rs://HOST:PORT, rss://HOST:PORT, unix:/PATH, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH; repeatable",
    )
    parser.add_argument("--framework", choices=common.FRAMEWORKS, default="asyncio")
    parser.add_argument("--authority", help="a file in PEM: who vouches for the router, over TLS")
    parser.add_argument("--realm", default="realm1")
    parser.add_argument(
        "--serializer",
        action="append",
        type=serializers,
        help="json, msgpack or cbor, over WebSocket json.batched and so on as well; json+cbor: callee and subscriber speak another one, so that the router"
        " has to transcode; repeatable; default: msgpack",
    )
    parser.add_argument(
        "--scenario", action="append", help="a name, repeatable; or all, which is the default"
    )
    parser.add_argument(
        "--large-url", action="append", help="all includes 8 MiB, sent here in each serializer that is alone: the router's limit is raised",
    )
    parser.add_argument("--authid", help="with --ticket: all includes the ticket scenarios")
    parser.add_argument("--ticket")
    parser.add_argument("--ticket-realm", help="realm of the ticket scenarios; default: that of --realm")
    parser.add_argument(
        "--max-message",
        type=int,
        default=common.DEFAULT_MAX_MESSAGE,
        help="longest message we announce to take, rounded up to a power of two, 512 to 16777216",
    )
    parser.add_argument("--timeout", type=float, default=30, help="seconds for each scenario")
    parser.add_argument("--known-quirks", choices=QUIRKS, help="put up with what this router does otherwise")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios")
    options = parser.parse_args()
    options.scenario = options.scenario or ["all"]
    options.serializer = options.serializer or ["msgpack"]
    options.url = options.url or []
    options.large_url = options.large_url or []
    unknown = [name for name in options.scenario if name not in SCENARIOS and name != "all"]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if options.scenario != ["all"] and "all" in options.scenario:
        parser.error("--scenario all stands alone")
    if (options.authid is None) != (options.ticket is None):
        parser.error("--authid and --ticket belong together")
    needs_ticket = [name for name in options.scenario if SCENARIOS.get(name, (None, ""))[1] == "ticket"]
    if needs_ticket and options.ticket is None:
        parser.error(f"{needs_ticket[0]} needs --authid and --ticket")
    if options.large_url and options.scenario != ["all"]:
        parser.error("--large-url is for all scenarios")
    if not (options.url or options.large_url or options.list):
        parser.error("--url is missing")
    return options


if __name__ == "__main__":
    OPTIONS = command_line()
    if OPTIONS.list:
        for NAME, (_, GROUP) in SCENARIOS.items():
            print(f"{NAME} {GROUP}")
    else:
        sys.exit(0 if common.run(OPTIONS.framework, lambda: main(OPTIONS)) else 1)
