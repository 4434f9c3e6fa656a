#!/usr/bin/env python3
"""Tries the programs of this folder against Crossbar.io: what fails here is not Roadbed's fault.

    selfcheck.py FOLDER [--full] [--node NODE --packages FOLDER]

Starts Crossbar with its files in FOLDER, runs every scenario of peer.py against it and calls what
serve_peer.py serves: MessagePack over TCP, with --full all serializers and their mixtures, and the Unix
socket too; on asyncio and on Twisted, also over WebSocket, batched, and compressed. With --node it runs the scenarios of the JavaScript peers over WebSocket likewise, and those of
autobahn-js over RawSocket. One line a run; exit code 0 only if all went well.
"""

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
from contextlib import contextmanager

from autobahn.wamp import message
from autobahn.wamp.types import PublishOptions

import common
from scenarios.checks import error_of, same

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = 120


@contextmanager
def program(name, *arguments):
    """One of this folder's programs that runs until its standard input ends."""
    command = [sys.executable, os.path.join(HERE, name), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def try_peer(framework, url, serializers, tickets, realm):
    """All scenarios of peer.py; the failed ones, and how many there were of each kind."""
    command = [sys.executable, os.path.join(HERE, "peer.py"), *everything(url, tickets, realm)]
    command += ["--framework", framework]
    for serializer in serializers:
        command += ["--serializer", serializer]
    return run_peer(command)


def try_javascript(script, options, url, serializers, ready):
    """All scenarios of one of the JavaScript peers."""
    command = [options.node, os.path.join(HERE, script), "--packages", options.packages, "--progressive"]
    command += everything(url, ready["tickets"], ready["ticket_realm"])
    for serializer in serializers:
        command += ["--serializer", serializer]
    return run_peer(command)


def everything(url, tickets, realm):
    """The part of a command line that all peers understand."""
    authid, ticket = next(iter(tickets.items()))
    where = ["--url", url, "--large-url", url, "--known-quirks", "crossbar"]
    return [*where, "--authid", authid, "--ticket", ticket, "--ticket-realm", realm]


def run_peer(command):
    """The failed scenarios, and how many there were of each kind."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [line for line in lines if not line["ok"]]
    if done.returncode != 0 and not failed:
        failed.append({"scenario": os.path.basename(command[1]), "detail": f"exit code {done.returncode}"})
    skipped = sum("skipped" in line for line in lines)
    return failed, f"{len(lines) - skipped - len(failed)} passed, {len(failed)} failed, {skipped} skipped"


async def call_service(url, serializer, process):
    """Uses everything that serve_peer.py serves, then asks it to leave."""
    client = await common.join(url, serializer, "realm1")
    events = []
    await client.subscribe(
        lambda *args, **kwargs: events.append((list(args), kwargs)), "com.roadbed.test.tick"
    )
    interrupted = asyncio.Event()
    await client.subscribe(interrupted.set, "com.roadbed.test.interrupted")

    same(await client.call("com.roadbed.test.add2", 2, 3), 5, "add2")
    result = await client.call("com.roadbed.test.echo", 1, b"\0\xff", key=[None])
    same((result.results, result.kwresults), ([1, b"\0\xff"], {"key": [None]}), "echo")
    failing = client.call("com.roadbed.test.fail", 1, key="word")
    error = await error_of(failing, "com.roadbed.test.error", "fail")
    same((error.args, error.kwargs), ([1], {"key": "word"}), "fail")

    same(await client.call("com.roadbed.test.emit", 3, "x", key=1), 3, "emit")
    same(events, [([number, "x"], {"key": 1}) for number in range(3)], "ticks")

    slow = client.call("com.roadbed.test.slow")
    (request,) = client._call_reqs
    same(await client.call("com.roadbed.test.running"), 1, "running")
    client._transport.send(message.Cancel(request))
    await error_of(slow, "wamp.error.canceled", "slow")
    await interrupted.wait()
    same(process.stdout.readline(), "INTERRUPTED\n", "line printed")
    same(await client.call("com.roadbed.test.running"), 0, "running afterwards")

    acknowledged = PublishOptions(acknowledge=True)
    await client.publish("com.roadbed.test.inbox", 1, b"\x01", key=[2], options=acknowledged)
    same(await client.call("com.roadbed.test.received"), [[[1, b"\x01"], {"key": [2]}]], "received")
    await client.call("com.roadbed.test.leave")
    await client.bye()


def try_service(url, serializer):
    """None when serve_peer.py does what it says, else what is wrong."""
    with program("serve_peer.py", "--url", url, "--serializer", serializer) as process:
        if process.stdout.readline() != "READY\n":
            return "serve_peer.py is not ready"
        try:
            common.run("asyncio", lambda: asyncio.wait_for(call_service(url, serializer, process), 30))
            same(process.wait(10), 0, "exit code of serve_peer.py after leave")
        except Exception as error:  # Reported; the other runs still happen.
            return f"{type(error).__name__}: {error}"
    return None


def main():
    parser = argparse.ArgumentParser(description="Tries peer.py and serve_peer.py against Crossbar.io.")
    parser.add_argument("folder")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--node", help="Node.js, to try the JavaScript peers too")
    parser.add_argument("--packages", help="the folder with node_modules")
    options = parser.parse_args()
    if (options.node is None) != (options.packages is None):
        parser.error("--node and --packages belong together")
    ok = True
    with program("crossbar_router.py", options.folder) as crossbar:
        ready = json.loads(crossbar.stdout.readline() or '{"ready": false, "detail": "no answer"}')
        if not ready["ready"]:
            sys.exit(f"crossbar_router.py: {ready['detail']}")
        urls = [ready["tcp"], ready["unix"]] if options.full else [ready["tcp"]]
        serializers = list(common.SERIALIZERS) if options.full else ["msgpack"]
        for url in urls:
            kind = url.split(":")[0]
            for one, other in itertools.product(serializers, repeat=2):
                pair = f"{one}+{other}"
                outcome = try_peer("asyncio", url, [pair], ready["tickets"], ready["ticket_realm"])
                ok = tell(f"peer.py to {kind}, {pair}", outcome) and ok
            for one in serializers:
                trouble = try_service(url, one)
                ok = ok and trouble is None
                print(f"serve_peer.py to {kind}, {one}: {trouble or 'ok'}", flush=True)
        for framework, place in itertools.product(common.FRAMEWORKS, ["ws", "deflate"]):
            names = common.SERIALIZER_NAMES if options.full else ["msgpack", "json.batched"]
            outcome = try_peer(framework, ready[place], names, ready["tickets"], ready["ticket_realm"])
            ok = tell(f"peer.py on {framework} to {place}, {', '.join(names)}", outcome) and ok
        if options.node:
            runs = [("autobahn_peer.mjs", url, ["json"]) for url in urls]
            names = [*serializers, "json+cbor", "cbor+msgpack"] if options.full else serializers
            runs += [(script, ready["ws"], names) for script in ("autobahn_peer.mjs", "wampy_peer.mjs")]
            for script, url, names in runs:
                outcome = try_javascript(script, options, url, names, ready)
                ok = tell(f"{script} to {url.split(':')[0]}, {', '.join(names)}", outcome) and ok
    sys.exit(0 if ok else 1)


def tell(what, outcome):
    """Prints what came of a run; whether it went well."""
    failed, counts = outcome
    print(f"{what}: {counts}", flush=True)
    for line in failed:
        print(f"  {line['scenario']}: {line['detail']}", flush=True)
    return not failed


if __name__ == "__main__":
    main()
