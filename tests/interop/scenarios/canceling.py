"""Canceling calls, and what happens to them when one of their ends leaves."""

import asyncio

from autobahn.wamp import message
from autobahn.wamp.exception import ApplicationError

from .checks import check, error_of, same, scenario


class Slow:
    """A procedure that waits, until it is released or interrupted."""

    def __init__(self):
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.interrupted = asyncio.Event()

    async def run(self):
        """The procedure; autobahn-python wants a function, not an object that can be called."""
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.interrupted.set()
            raise ApplicationError("wamp.error.canceled", "by the callee") from None
        return "released"


class SlowCall:
    """A call of a slow procedure under way, and both its ends."""

    @classmethod
    async def start(cls, ctx):
        """Returns when the procedure runs."""
        self = cls()
        self.callee, self.caller = await ctx.pair()
        self.slow = Slow()
        ctx.at_end(self.slow.release.set)
        await self.callee.register(self.slow.run, "com.roadbed.test.slow")
        self.result = self.caller.call("com.roadbed.test.slow")
        (self.request,) = self.caller._call_reqs
        await self.slow.started.wait()
        return self

    async def cancel(self, mode):
        """Sends CANCEL with this mode; the error that the call ends in."""
        self.caller._transport.send(message.Cancel(self.request, mode=mode))
        return await error_of(self.result, "wamp.error.canceled", f"call canceled with mode {mode}")

    async def settle(self):
        """All that either end had to say has arrived: the call has had exactly one reply, an ERROR."""
        # What the callee sends in answer to what it gets before the first barrier precedes the second.
        await self.callee.barrier()
        await self.callee.barrier()
        await self.caller.barrier()
        replies = self.caller.messages(message.Error) + self.caller.messages(message.Result)
        errors = [one.error for one in replies if one.request == self.request]
        same(errors, ["wamp.error.canceled"], "replies to the canceled call")


@scenario()
async def cancel(ctx):
    """Without a mode the router chooses, and the routers we know interrupt the callee then."""
    under_way = await SlowCall.start(ctx)
    await under_way.cancel(None)
    await under_way.slow.interrupted.wait()
    await under_way.settle()


@scenario()
async def cancel_kill(ctx):
    """The callee is interrupted, and its own answer reaches the caller."""
    under_way = await SlowCall.start(ctx)
    error = await under_way.cancel("kill")
    if ctx.quirk("crossbar"):
        # Crossbar answers at once, as for killnowait.
        await under_way.slow.interrupted.wait()
    else:
        check(under_way.slow.interrupted.is_set(), "the callee was not interrupted")
        same(list(error.args), ["by the callee"], "args of the callee's error")
    await under_way.settle()


@scenario()
async def cancel_killnowait(ctx):
    """The router answers at once, and the callee is interrupted."""
    under_way = await SlowCall.start(ctx)
    error = await under_way.cancel("killnowait")
    check("by the callee" not in error.args, "the callee's error was waited for")
    await under_way.slow.interrupted.wait()
    await under_way.settle()


@scenario()
async def cancel_skip(ctx):
    """The router answers at once, and the callee hears nothing; its late result is dropped."""
    if ctx.quirk("crossbar"):
        ctx.skip("Crossbar never answers a call canceled with mode skip")
    under_way = await SlowCall.start(ctx)
    await under_way.cancel("skip")
    await under_way.settle()
    check(not under_way.callee.messages(message.Interrupt), "the callee got an INTERRUPT")
    under_way.slow.release.set()
    await under_way.settle()


@scenario()
async def cancel_by_future(ctx):
    """The way users of autobahn-python cancel: they cancel the call's future."""
    under_way = await SlowCall.start(ctx)
    under_way.result.cancel()
    await under_way.slow.interrupted.wait()
    await under_way.settle()


@scenario()
async def callee_leaves(ctx):
    under_way = await SlowCall.start(ctx)
    await under_way.callee.bye()
    await error_of(under_way.result, "wamp.error.canceled", "call whose callee left")
    again = under_way.caller.call("com.roadbed.test.slow")
    await error_of(again, "wamp.error.no_such_procedure", "call after the callee left")


@scenario()
async def caller_leaves(ctx):
    under_way = await SlowCall.start(ctx)
    await under_way.caller.bye()
    await under_way.slow.interrupted.wait()
    await under_way.callee.barrier()
    # Its session is over; how autobahn-python ends the future is its own business.
    under_way.result.cancel()
