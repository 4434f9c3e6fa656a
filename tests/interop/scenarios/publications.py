"""Publications, subscriptions and events."""

from autobahn.wamp import message
from autobahn.wamp.types import PublishOptions

from .checks import ACKNOWLEDGE, Inbox, check, same, scenario


@scenario()
async def publish_acknowledged(ctx):
    subscriber, publisher = await ctx.pair()
    inbox = Inbox()
    await subscriber.subscribe(inbox.add, "com.roadbed.test.topic")
    published = await publisher.publish("com.roadbed.test.topic", 1, "two", three=[3], options=ACKNOWLEDGE)
    check(1 <= published.id <= 2**53, f"publication id {published.id}")
    await subscriber.barrier()
    same(inbox.events, [([1, "two"], {"three": [3]})], "events")
    (event,) = subscriber.messages(message.Event)
    same(event.publication, published.id, "publication id of the event")


@scenario()
async def publish_unacknowledged(ctx):
    subscriber, publisher = await ctx.pair()
    inbox = Inbox()
    await subscriber.subscribe(inbox.add, "com.roadbed.test.topic")
    check(publisher.publish("com.roadbed.test.topic", "quiet") is None, "an acknowledgement is awaited")
    publisher.publish("com.roadbed.test.topic")
    await publisher.barrier()
    await subscriber.barrier()
    same(inbox.events, [(["quiet"], {}), ([], {})], "events")
    same(len(publisher.messages(message.Published)), 1, "PUBLISHED, only that of the barrier")


@scenario()
async def unsubscribe(ctx):
    subscriber, publisher = await ctx.pair()
    inbox = Inbox()
    subscription = await subscriber.subscribe(inbox.add, "com.roadbed.test.topic")
    await publisher.publish("com.roadbed.test.topic", "before", options=ACKNOWLEDGE)
    await subscriber.barrier()
    await subscription.unsubscribe()
    await publisher.publish("com.roadbed.test.topic", "after", options=ACKNOWLEDGE)
    await subscriber.barrier()
    same(inbox.events, [(["before"], {})], "events")
    same(len(subscriber.messages(message.Event)), 1, "EVENTs on the wire")


@scenario()
async def two_subscribers(ctx):
    first, second = await ctx.pair()
    publisher = await ctx.join()
    inboxes = [Inbox(), Inbox()]
    for session, inbox in zip((first, second), inboxes, strict=True):
        await session.subscribe(inbox.add, "com.roadbed.test.topic")
    await publisher.publish("com.roadbed.test.topic", "both", options=ACKNOWLEDGE)
    await publisher.publish("com.roadbed.test.another.topic", "neither", options=ACKNOWLEDGE)
    for session, inbox in zip((first, second), inboxes, strict=True):
        await session.barrier()
        same(inbox.events, [(["both"], {})], "events")


@scenario()
async def two_handlers(ctx):
    """One session subscribes twice: the same subscription id, one EVENT, both handlers called."""
    subscriber, publisher = await ctx.pair()
    inboxes = [Inbox(), Inbox()]
    for inbox in inboxes:
        await subscriber.subscribe(inbox.add, "com.roadbed.test.topic")
    await publisher.publish("com.roadbed.test.topic", "one", options=ACKNOWLEDGE)
    await subscriber.barrier()
    for inbox in inboxes:
        same(inbox.events, [(["one"], {})], "events")
    ids = {one.subscription for one in subscriber.messages(message.Subscribed)}
    same(len(ids), 1, "subscription ids")
    same(len(subscriber.messages(message.Event)), 1, "EVENTs on the wire")


@scenario()
async def exclude_me(ctx):
    both = await ctx.join()
    inbox = Inbox()
    await both.subscribe(inbox.add, "com.roadbed.test.topic")
    await both.publish("com.roadbed.test.topic", "default", options=ACKNOWLEDGE)
    await both.publish(
        "com.roadbed.test.topic", "false", options=PublishOptions(acknowledge=True, exclude_me=False)
    )
    await both.publish(
        "com.roadbed.test.topic", "true", options=PublishOptions(acknowledge=True, exclude_me=True)
    )
    await both.barrier()
    same(inbox.events, [(["false"], {})], "events")


@scenario()
async def event_order(ctx):
    subscriber, publisher = await ctx.pair()
    inbox = Inbox()
    await subscriber.subscribe(inbox.add, "com.roadbed.test.topic")
    for number in range(500):
        publisher.publish("com.roadbed.test.topic", number)
    await publisher.barrier()
    await subscriber.barrier()
    same([args for args, _ in inbox.events], [[number] for number in range(500)], "events")
