"""The table of scenarios, and what a scenario says when something is wrong."""

from autobahn.exception import PayloadExceededError
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions

# name -> (function, the group it belongs to): "basic" always runs, "ticket" and "large" when asked for.
SCENARIOS = {}

ACKNOWLEDGE = PublishOptions(acknowledge=True)


def scenario(group="basic"):
    """Enters a function, under its own name, into SCENARIOS."""

    def enter(function):
        SCENARIOS[function.__name__] = (function, group)
        return function

    return enter


def check(condition, what):
    """Raises AssertionError unless the condition holds; unlike `assert`, under -O too."""
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what):
    """Equality of values *and* types, all the way down: 1, 1.0 and True differ."""
    check(shape(got) == shape(wanted), f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def shape(value):
    """The value with the type of each part beside it."""
    if isinstance(value, (list, tuple)):
        return ("list", [shape(one) for one in value])
    if isinstance(value, dict):
        return ("dict", {key: shape(one) for key, one in value.items()})
    # repr tells -0.0 from 0.0.
    return (type(value).__name__, repr(value) if isinstance(value, float) else value)


def shorten(value):
    """A value for a message that somebody has to read."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text)} characters)"


async def error_of(awaitable, uri, what):
    """The ApplicationError that it ends in, which has to have this URI."""
    try:
        got = await awaitable
    except ApplicationError as error:
        check(error.error == uri, f"{what}: error {error.error} {error.args}, wanted {uri}")
        return error
    except PayloadExceededError as error:
        # autobahn-python turns this one URI into an exception of its own.
        check(uri == "wamp.error.payload_size_exceeded", f"{what}: error {error}, wanted {uri}")
        return error
    raise AssertionError(f"{what}: succeeded with {shorten(got)}, wanted {uri}")


class Inbox:
    """A handler that keeps the events it got."""

    def __init__(self):
        self.events = []

    def add(self, *args, **kwargs):
        self.events.append((list(args), kwargs))
