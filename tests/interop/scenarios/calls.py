"""Calls, registrations and their errors."""

import asyncio

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallResult

from .checks import check, error_of, same, scenario


def echo(*args, **kwargs):
    """A procedure that gives back what it got."""
    return CallResult(*args, **kwargs)


@scenario()
async def call(ctx):
    callee, caller = await ctx.pair()
    await callee.register(lambda a, b: a + b, "com.roadbed.test.add2")
    await callee.register(echo, "com.roadbed.test.echo")
    same(await caller.call("com.roadbed.test.add2", 2, 3), 5, "2 + 3")

    result = await caller.call("com.roadbed.test.echo", 1, "two", [3], four=4, five={"six": 6})
    same(result.results, [1, "two", [3]], "args")
    same(result.kwresults, {"four": 4, "five": {"six": 6}}, "kwargs")

    result = await caller.call("com.roadbed.test.echo", only="kwargs")
    same(result.kwresults, {"only": "kwargs"}, "kwargs without args")
    check(not result.results, f"args beside kwargs only: {result.results}")

    result = await caller.call("com.roadbed.test.echo")
    check(result is None or not (result.results or result.kwresults), f"empty call gave {result}")


@scenario()
async def values(ctx):
    callee, caller = await ctx.pair()
    await callee.register(lambda value: value, "com.roadbed.test.same")
    integers = [0, -1, 23, 24, -24, -25, 127, -128, 255, 256, 65535, 65536, 2**31, -(2**31), 2**32]
    integers += [2**53, -(2**53), 2**63 - 1, -(2**63), 2**64 - 1]
    others = [None, True, False, 1.5, -0.25, 1e300, "", "ä€😀", [], {}, [[[[1]]]], {"a": {"b": [None]}}]
    for value in integers + others + [1.0]:
        same(await caller.call("com.roadbed.test.same", value), value, "value")
    everything = {"list": integers, "dict": {"others": others}}
    same(await caller.call("com.roadbed.test.same", everything), everything, "all values")


@scenario()
async def application_error(ctx):
    callee, caller = await ctx.pair()

    def fail(*args, **kwargs):
        raise ApplicationError("com.roadbed.test.error", *args, **kwargs)

    await callee.register(fail, "com.roadbed.test.fail")
    failing = caller.call("com.roadbed.test.fail", 1, "two", reason="because", code=[3])
    error = await error_of(failing, "com.roadbed.test.error", "failing call")
    same(list(error.args), [1, "two"], "args of the error")
    same(error.kwargs, {"reason": "because", "code": [3]}, "kwargs of the error")
    await error_of(caller.call("com.roadbed.test.fail"), "com.roadbed.test.error", "error without payload")


@scenario()
async def pipelined_calls(ctx):
    callee, caller = await ctx.pair()

    async def later(number):
        # The last call is answered first.
        await asyncio.sleep((200 - number) / 2000)
        return number

    await callee.register(later, "com.roadbed.test.later")
    numbers = list(range(200))
    answers = await asyncio.gather(*(caller.call("com.roadbed.test.later", number) for number in numbers))
    same(answers, numbers, "answers of calls in flight together")


@scenario()
async def no_such_procedure(ctx):
    caller = await ctx.join()
    calling = caller.call("com.roadbed.test.nobody.registered.this")
    await error_of(calling, "wamp.error.no_such_procedure", "call of an unknown procedure")


@scenario()
async def register_twice(ctx):
    callee, other = await ctx.pair()
    await callee.register(echo, "com.roadbed.test.once")
    for who in (other, callee):
        again = who.register(echo, "com.roadbed.test.once")
        await error_of(again, "wamp.error.procedure_already_exists", "second registration")


@scenario()
async def unregister(ctx):
    callee, caller = await ctx.pair()
    registration = await callee.register(lambda: "here", "com.roadbed.test.brief")
    same(await caller.call("com.roadbed.test.brief"), "here", "result")
    await registration.unregister()
    gone = caller.call("com.roadbed.test.brief")
    await error_of(gone, "wamp.error.no_such_procedure", "call after unregister")
    await callee.register(lambda: "back", "com.roadbed.test.brief")
    same(await caller.call("com.roadbed.test.brief"), "back", "result after a new registration")
