"""Binary, and payloads of many lengths."""

import asyncio

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallResult

from .checks import ACKNOWLEDGE, Inbox, check, error_of, same, scenario

ALL_BYTES = bytes(range(256))
LADDER = (1, 31, 32, 255, 256, 1024, 4096, 16383, 16384, 65535, 65536, 131072, 262144, 524288)
LARGE = 8 << 20


@scenario()
async def binary(ctx):
    callee, caller = await ctx.pair()
    seen = []

    def give_back(value, extra=None):
        seen.append((value, extra))
        return CallResult(value, [value], {"in": {"side": value}}, extra=extra)

    await callee.register(give_back, "com.roadbed.test.binary")
    for value in (ALL_BYTES, b"", b"\0", ALL_BYTES[::-1] * 5):
        result = await caller.call("com.roadbed.test.binary", value, extra=value)
        same(seen.pop(), (value, value), "binary at the callee")
        same(result.results, [value, [value], {"in": {"side": value}}], "binary at the caller")
        same(result.kwresults, {"extra": value}, "binary kwargs at the caller")

    inbox = Inbox()
    await callee.subscribe(inbox.add, "com.roadbed.test.topic")
    await caller.publish("com.roadbed.test.topic", ALL_BYTES, key=ALL_BYTES, options=ACKNOWLEDGE)
    await callee.barrier()
    same(inbox.events, [([ALL_BYTES], {"key": ALL_BYTES})], "binary in an event")


@scenario()
async def odd_values(ctx):
    """Values that not every serializer can say: each call ends, with a result or a clear error, and both sessions go on."""
    if ctx.quirk("crossbar"):
        ctx.skip("Crossbar ends the session of whoever sends such a value, or of whoever gets it")
    callee, caller = await ctx.pair()
    # A text with half of a surrogate pair can be written as JSON only; autobahn itself refuses it elsewhere.
    odd = {"large": 2**70, "larger": -(2**70), "nan": float("nan"), "infinity": float("-inf"), "cut": "\ud83d"}
    odd |= {"bytes": {"deep": [b"\xff"]}, "key of bytes": {"deep": {b"\0\xff": 1}}}
    if not any("msgpack" in name for name in ctx.serializers):
        # In MessagePack autobahn closes its connection when it gets a key that is a number.
        odd["key"] = {"deep": {1: "one"}}
    ends = {}

    await callee.register(lambda name: odd[name], "com.roadbed.test.odd")
    await callee.register(lambda value: "taken", "com.roadbed.test.take")
    await callee.register(lambda value: value, "com.roadbed.test.same")
    for name, value in odd.items():
        for end, call in (("result", ("odd", name)), ("call", ("take", value))):
            if end == "result" and ctx.drops(value):
                continue
            procedure, argument = call
            try:
                await asyncio.wait_for(caller.call(f"com.roadbed.test.{procedure}", argument), 10)
                ends[name, end] = "passed"
            except asyncio.TimeoutError:
                raise AssertionError(f"{end} with {name}: no answer") from None
            except ApplicationError as error:
                ends[name, end] = error.error
            except Exception as error:  # what the library itself does not write
                ends[name, end] = type(error).__name__
            same(await caller.call("com.roadbed.test.same", name), name, f"call behind the {end} with {name}")
    # The callee is one of Rust's.
    for number in (2**32, 2**53 + 1, -(2**63)):
        same(await caller.call("com.roadbed.rust.whole", number), number, "whole number")
    return "; ".join(f"{name} as {end}: {how}" for (name, end), how in ends.items())


async def climb(ctx, sizes):
    """Strings and binary of these sizes, in a call and back, and in an event."""
    callee, caller = await ctx.pair()
    inbox = Inbox()
    await callee.register(lambda value: value, "com.roadbed.test.same")
    await callee.subscribe(inbox.add, "com.roadbed.test.topic")
    for size in sizes:
        text = ("Straße 7, 東京 " * (size // 16 + 1)).encode()[:size].decode(errors="ignore").ljust(1, "x")
        text += "x" * (size - len(text.encode()))
        for value in (text, (ALL_BYTES * (size // 256 + 1))[:size]):
            got = await caller.call("com.roadbed.test.same", value)
            check(got == value, f"{type(value).__name__} of {size} bytes came back differently")
            inbox.events.clear()
            await caller.publish("com.roadbed.test.topic", value, options=ACKNOWLEDGE)
            await callee.barrier()
            check(inbox.events == [([value], {})], f"event of {size} bytes differs")


@scenario()
async def payload_ladder(ctx):
    """At default limits of the router."""
    await climb(ctx, LADDER)
    return f"{LADDER[0]} B to {LADDER[-1] // 1024} KiB"


@scenario()
async def small_receiver(ctx):
    """What is longer than a peer takes is not sent to it: the caller is told, and an event is dropped."""
    if ctx.quirk("crossbar"):
        ctx.skip("Crossbar lets a call hang whose message is too long for the recipient")
    if ctx.is_websocket:
        ctx.skip("a WebSocket peer does not say how much it takes")
    small, other = await ctx.join(max_message=4096), await ctx.join()
    inbox = Inbox()
    await small.register(lambda value: value, "com.roadbed.test.small")
    await other.register(lambda size: "x" * size, "com.roadbed.test.make")
    await small.subscribe(inbox.add, "com.roadbed.test.topic")

    too_long = other.call("com.roadbed.test.small", "x" * 5000)
    await error_of(too_long, "wamp.error.payload_size_exceeded", "call whose INVOCATION is too long")
    too_long = small.call("com.roadbed.test.make", 5000)
    await error_of(too_long, "wamp.error.payload_size_exceeded", "call whose RESULT is too long")
    await other.publish("com.roadbed.test.topic", "x" * 5000, options=ACKNOWLEDGE)
    await other.publish("com.roadbed.test.topic", "short", options=ACKNOWLEDGE)
    await small.barrier()
    same(inbox.events, [(["short"], {})], "events")
    same(await other.call("com.roadbed.test.small", "still there"), "still there", "result")


@scenario("large")
async def payload_large(ctx):
    """With the router's limit raised."""
    await climb(ctx, [LARGE])
    return f"{LARGE >> 20} MiB"
