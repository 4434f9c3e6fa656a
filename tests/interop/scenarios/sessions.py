"""Joining and leaving."""

from common import Refused

from .checks import check, same, scenario


@scenario()
async def join(ctx):
    session = await ctx.join()
    details = session.joined.result()
    check(1 <= details.session <= 2**53, f"session id {details.session}")
    same(details.realm, ctx.realm, "realm")
    roles = session._router_roles
    check(set(roles) >= {"broker", "dealer"}, f"router roles {sorted(roles)}")
    return f"session {details.session}"


@scenario()
async def leave(ctx):
    session = await ctx.join()
    session.leave()
    details = await session.left
    wanted = "wamp.close.normal" if ctx.quirk("crossbar") else "wamp.close.goodbye_and_out"
    same(details.reason, wanted, "reason of the answering GOODBYE")
    await session.closed
    await ctx.join()


@scenario()
async def no_such_realm(ctx):
    try:
        await ctx.join(realm="com.roadbed.test.no.such.realm")
    except Refused as refused:
        same(refused.reason, "wamp.error.no_such_realm", "reason of ABORT")
        return refused.message
    raise AssertionError("joined a realm that does not exist")
