"""Ticket authentication."""

from common import Refused

from .checks import check, same, scenario

# What a router may say to wrong credentials; the specification names the first.
DENIALS = (
    "wamp.error.authentication_denied",
    "wamp.error.authentication_failed",
    "wamp.error.not_authorized",
    "wamp.error.no_such_principal",
)


@scenario("ticket")
async def ticket_good(ctx):
    session = await ctx.join(realm=ctx.ticket_realm, authid=ctx.authid, ticket=ctx.ticket)
    details = session.joined.result()
    same(details.authid, ctx.authid, "authid")
    same(details.authmethod, "ticket", "authmethod")
    await session.register(lambda: None, "com.roadbed.test.quiet")
    await session.barrier()
    return f"role {details.authrole}"


@scenario("ticket")
async def ticket_bad(ctx):
    reasons = []
    for authid, ticket in ((ctx.authid, ctx.ticket + "x"), (ctx.authid, ""), ("nobody", ctx.ticket)):
        try:
            await ctx.join(realm=ctx.ticket_realm, authid=authid, ticket=ticket)
        except Refused as refused:
            check(refused.reason in DENIALS, f"reason of ABORT: {refused}")
            reasons.append(refused.reason)
        else:
            raise AssertionError(f"joined as {authid!r} with ticket {ticket!r}")
    return ", ".join(reasons)
