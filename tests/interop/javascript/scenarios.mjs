// What the JavaScript peers do with a router, after the scenarios of peer.py. Each is one function that throws when
// something is wrong, and sees a library only through the sessions that javascript/*.mjs make of it:
//
//     call(uri, args, kwargs, { onProgress }) -> { args, kwargs }, or a Failure
//     start(uri, args) -> { result, cancel(mode) }
//     register(uri, ({ args, kwargs, progress }) -> { args, kwargs }, or throws a Failure) -> { unregister() }
//     subscribe(uri, (args, kwargs) -> undefined) -> { unsubscribe() }
//     publish(uri, args, kwargs, options) -> the id of the publication, if acknowledged
//     leave() -> the reason in the router's GOODBYE, where the library tells; id, roles

import { Failure, Refused, check, failureOf, gate, inbox, same, within } from "./checks.mjs";

const ACKNOWLEDGE = { acknowledge: true };
const TOPIC = "com.roadbed.test.topic";
const CANCELED = "wamp.error.canceled";
const LADDER = [1, 31, 32, 255, 256, 1024, 4096, 16383, 16384, 65535, 65536, 131072, 262144, 524288];

const at = (name) => `com.roadbed.test.${name}`;
const echo = ({ args, kwargs }) => ({ args, kwargs });

// Returns when the router has handled all that the session sent, and the session all it had been sent before.
const barrier = (session) => session.publish(at("barrier"), [], {}, ACKNOWLEDGE);

async function join(ctx) {
  const session = await ctx.join();
  check(Number.isSafeInteger(session.id) && session.id >= 1, `session id ${session.id}`);
  check("broker" in session.roles && "dealer" in session.roles, `roles ${Object.keys(session.roles)}`);
  return `session ${session.id}`;
}

async function leave(ctx) {
  const reason = await (await ctx.join()).leave();
  const wanted = ctx.quirk("crossbar") ? "wamp.close.normal" : "wamp.close.goodbye_and_out";
  if (reason !== undefined) same(reason, wanted, "reason of the answering GOODBYE");
  await ctx.join();
}

async function no_such_realm(ctx) {
  await refused(ctx, { realm: at("no.such.realm") }, ["wamp.error.no_such_realm"]);
}

async function refused(ctx, wanted, reasons) {
  try {
    await ctx.join(wanted);
  } catch (error) {
    check(error instanceof Refused && reasons.includes(error.reason), `${error?.stack ?? error}`);
    return;
  }
  throw new Error("joined");
}

async function call(ctx) {
  const [callee, caller] = await ctx.pair();
  await callee.register(at("add2"), ({ args: [a, b] }) => ({ args: [a + b] }));
  await callee.register(at("echo"), echo);
  same((await caller.call(at("add2"), [2, 3])).args, [5], "2 + 3");
  for (const [args, kwargs] of [[[1, "two", [3]], { four: 4, five: { six: 6 } }], [[], { only: "kwargs" }], [[], {}]]) {
    same(await caller.call(at("echo"), args, kwargs), { args, kwargs }, "echo");
  }
}

async function values(ctx) {
  const [callee, caller] = await ctx.pair();
  await callee.register(at("echo"), echo);
  const integers = [0, -1, 23, 24, -24, -25, 127, -128, 255, 256, 65535, 65536, 2 ** 31, -(2 ** 31), 2 ** 32];
  integers.push(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER);
  const others = [true, false, 1.5, -0.25, 1e300, "", "ä€😀", [], {}, [[[[1]]]], { a: { b: [null] } }];
  for (const value of [...integers, ...others, { integers, others: [null, ...others] }]) {
    const { args } = await caller.call(at("echo"), [value]);
    same(args, [value], "value");
  }
}

async function application_error(ctx) {
  const [callee, caller] = await ctx.pair();
  await callee.register(at("fail"), ({ args, kwargs }) => {
    throw new Failure(at("error"), args, kwargs);
  });
  const failing = caller.call(at("fail"), [1, "two"], { reason: "because", code: [3] });
  const { args, kwargs } = await failureOf(failing, at("error"), "failing call");
  same([args, kwargs], [[1, "two"], { reason: "because", code: [3] }], "payload of the error");
  await failureOf(caller.call(at("fail")), at("error"), "error without payload");
}

async function pipelined_calls(ctx) {
  const [callee, caller] = await ctx.pair();
  // The last call is answered first.
  const waiting = [];
  await callee.register(at("later"), async ({ args: [number] }) => {
    const { open, opened } = gate();
    waiting.push(open);
    if (waiting.length === 200) waiting.reverse().forEach((answer) => answer());
    await opened;
    return { args: [number] };
  });
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  const answers = await Promise.all(numbers.map((number) => caller.call(at("later"), [number])));
  same(answers.map(({ args }) => args[0]), numbers, "answers of calls in flight together");
}

async function no_such_procedure(ctx) {
  const caller = await ctx.join();
  await failureOf(caller.call(at("nobody.registered.this")), "wamp.error.no_such_procedure", "unknown procedure");
}

async function register_twice(ctx) {
  const [callee, other] = await ctx.pair();
  await callee.register(at("once"), echo);
  await failureOf(other.register(at("once"), echo), "wamp.error.procedure_already_exists", "second registration");
}

async function unregister(ctx) {
  const [callee, caller] = await ctx.pair();
  const registration = await callee.register(at("brief"), () => ({ args: ["here"] }));
  same((await caller.call(at("brief"))).args, ["here"], "result");
  await registration.unregister();
  await failureOf(caller.call(at("brief")), "wamp.error.no_such_procedure", "call after unregister");
  await callee.register(at("brief"), () => ({ args: ["back"] }));
  same((await caller.call(at("brief"))).args, ["back"], "result after a new registration");
}

// A call under way of a procedure that waits until it is released.
async function slow(ctx) {
  const [callee, caller] = await ctx.pair();
  const started = gate();
  const release = gate();
  await callee.register(at("slow"), async () => {
    started.open();
    await release.opened;
    return { args: ["released"] };
  });
  const under_way = caller.start(at("slow"), []);
  under_way.result.catch(() => {});
  await started.opened;
  return { callee, caller, release, ...under_way };
}

// Neither library knows INTERRUPT, nor says so: whatever the mode, the router answers the caller and drops what comes
// later from the callee.
function canceled(mode) {
  return async (ctx) => {
    const { callee, caller, release, result, cancel } = await slow(ctx);
    await cancel(mode);
    await failureOf(result, CANCELED, `call canceled with mode ${mode}`);
    release.open();
    await barrier(callee);
    await barrier(caller);
    same((await caller.call(at("slow"))).args, ["released"], "the next call");
  };
}

async function callee_leaves(ctx) {
  const { callee, caller, result } = await slow(ctx);
  await callee.leave();
  await failureOf(result, CANCELED, "call whose callee left");
  await failureOf(caller.call(at("slow")), "wamp.error.no_such_procedure", "call after the callee left");
}

async function caller_leaves(ctx) {
  const { callee, caller, release } = await slow(ctx);
  await caller.leave();
  release.open();
  await barrier(callee);
}

async function publish_acknowledged(ctx) {
  const [subscriber, publisher] = await ctx.pair();
  const { events, add } = inbox();
  await subscriber.subscribe(TOPIC, add);
  const id = await publisher.publish(TOPIC, [1, "two"], { three: [3] }, ACKNOWLEDGE);
  check(Number.isSafeInteger(id) && id >= 1, `publication id ${id}`);
  await barrier(subscriber);
  same(events, [[[1, "two"], { three: [3] }]], "events");
}

async function publish_unacknowledged(ctx) {
  const [subscriber, publisher] = await ctx.pair();
  const { events, add } = inbox();
  await subscriber.subscribe(TOPIC, add);
  await publisher.publish(TOPIC, ["quiet"]);
  await publisher.publish(TOPIC);
  await barrier(publisher);
  await barrier(subscriber);
  same(events, [[["quiet"], {}], [[], {}]], "events");
}

async function unsubscribe(ctx) {
  const [subscriber, publisher] = await ctx.pair();
  const { events, add } = inbox();
  const subscription = await subscriber.subscribe(TOPIC, add);
  await publisher.publish(TOPIC, ["before"], {}, ACKNOWLEDGE);
  await barrier(subscriber);
  await subscription.unsubscribe();
  await publisher.publish(TOPIC, ["after"], {}, ACKNOWLEDGE);
  await barrier(subscriber);
  same(events, [[["before"], {}]], "events");
}

async function two_subscribers(ctx) {
  const subscribers = await ctx.pair();
  const publisher = await ctx.join();
  const inboxes = [inbox(), inbox()];
  for (const [number, session] of subscribers.entries()) await session.subscribe(TOPIC, inboxes[number].add);
  await publisher.publish(TOPIC, ["both"], {}, ACKNOWLEDGE);
  await publisher.publish(at("another.topic"), ["neither"], {}, ACKNOWLEDGE);
  for (const [number, session] of subscribers.entries()) {
    await barrier(session);
    same(inboxes[number].events, [[["both"], {}]], "events");
  }
}

async function two_handlers(ctx) {
  const [subscriber, publisher] = await ctx.pair();
  const inboxes = [inbox(), inbox()];
  for (const { add } of inboxes) await subscriber.subscribe(TOPIC, add);
  await publisher.publish(TOPIC, ["one"], {}, ACKNOWLEDGE);
  await barrier(subscriber);
  for (const { events } of inboxes) same(events, [[["one"], {}]], "events");
}

async function exclude_me(ctx) {
  const both = await ctx.join();
  const { events, add } = inbox();
  await both.subscribe(TOPIC, add);
  await both.publish(TOPIC, ["default"], {}, ACKNOWLEDGE);
  await both.publish(TOPIC, ["false"], {}, { acknowledge: true, exclude_me: false });
  await both.publish(TOPIC, ["true"], {}, { acknowledge: true, exclude_me: true });
  await barrier(both);
  same(events, [[["false"], {}]], "events");
}

async function event_order(ctx) {
  const [subscriber, publisher] = await ctx.pair();
  const { events, add } = inbox();
  await subscriber.subscribe(TOPIC, add);
  const numbers = Array.from({ length: 500 }, (_, number) => number);
  await Promise.all(numbers.map((number) => publisher.publish(TOPIC, [number])));
  await barrier(publisher);
  await barrier(subscriber);
  same(events.map(([args]) => args[0]), numbers, "events");
}

async function binary(ctx) {
  const [callee, caller] = await ctx.pair();
  const { events, add } = inbox();
  await callee.register(at("echo"), echo);
  await callee.subscribe(TOPIC, add);
  // Not a Uint8Array, of which the CBOR encoders make something with a tag.
  const all = Buffer.from(Array.from({ length: 256 }, (_, number) => number));
  for (const value of [all, Buffer.alloc(0), Buffer.alloc(1), Buffer.from(all).reverse()]) {
    const wanted = { args: [value, [value], { in: { side: value } }], kwargs: { extra: value } };
    same(await caller.call(at("echo"), wanted.args, wanted.kwargs), wanted, "binary");
  }
  await caller.publish(TOPIC, [all], { key: all }, ACKNOWLEDGE);
  await barrier(callee);
  same(events, [[[all], { key: all }]], "binary in an event");
}

// What these libraries write in ways of their own, or cannot write: whole numbers beyond 32 bits as floats, typed arrays
// and dates with tags, half of an emoji.
const ODD = {
  cut: "cut \ud83d",
  undefined,
  deeper: { list: [undefined], undefined },
  large: 4294967296,
  now: Date.now(),
  bytes: new Uint8Array([0, 1, 255]),
  floats: new Float64Array([0.5, -1]),
  date: new Date(0),
  nan: NaN,
  infinity: -Infinity,
};

// Values that not every serializer can say: each call ends, with a result or a clear error, and both sessions go on.
async function odd_values(ctx) {
  const callee = await ctx.join({ serializer: ctx.other });
  await callee.register(at("odd"), ({ args: [name] }) => ({ args: [ODD[name]] }));
  await callee.register(at("take"), () => ({ args: ["taken"] }));
  await callee.register(at("echo"), echo);
  const ends = [];
  for (const serializer of ctx.url.startsWith("ws") ? ["json", "msgpack", "cbor"] : [ctx.serializer]) {
    const caller = await ctx.join({ serializer });
    for (const [name, value] of Object.entries(ODD)) {
      for (const [end, procedure, args] of [["result", "odd", [name]], ["call", "take", [value]]]) {
        // Then it tells no one.
        if (ctx.library.refuses?.(name, end === "call" ? serializer : ctx.other)) continue;
        const what = `${name} as ${end} (${serializer})`;
        try {
          const result = await within(10, caller.call(at(procedure), args), what);
          if (end === "call") same(result.args, ["taken"], what);
        } catch (error) {
          const isClear = error instanceof Failure && error.uri === "wamp.error.invalid_payload" && error.args.length > 0;
          check(isClear, `${what}: ${error?.stack ?? error}`);
          ends.push(what);
        }
        same((await within(10, caller.call(at("echo"), [what]), `call behind ${what}`)).args, [what], what);
      }
    }
    for (const number of [ODD.large, ODD.now, -ODD.now]) {
      // The callee is one of Rust's, which takes an i64.
      for (const procedure of [at("echo"), "com.roadbed.rust.whole"]) {
        same((await caller.call(procedure, [number])).args, [number], `${procedure} (${serializer})`);
      }
    }
  }
  return `invalid payload: ${ends.join(", ") || "none"}`;
}

// Strings of these sizes, in a call and back, and in an event.
async function climb(ctx, sizes) {
  const [callee, caller] = await ctx.pair();
  const { events, add } = inbox();
  await callee.register(at("same"), echo);
  await callee.subscribe(TOPIC, add);
  for (const size of sizes) {
    const text = "Straße 7, 東京 ".repeat(size / 20).padEnd(size, "x").slice(0, size);
    const { args } = await caller.call(at("same"), [text]);
    check(args[0] === text, `text of ${size} characters came back differently`);
    events.length = 0;
    await caller.publish(TOPIC, [text], {}, ACKNOWLEDGE);
    await barrier(callee);
    check(events.length === 1 && events[0][0][0] === text, `event of ${size} characters differs`);
  }
}

async function payload_ladder(ctx) {
  await climb(ctx, LADDER);
}

async function payload_large(ctx) {
  // In UTF-8 it is a fifth longer, and below 16 MiB.
  await climb(ctx, [8 << 20]);
}

async function progressive_results(ctx) {
  const [callee, caller] = await ctx.pair();
  await callee.register(at("count"), async ({ args: [count], progress }) => {
    for (let number = 0; number < count; number += 1) await progress([number]);
    return { args: [count] };
  });
  const numbers = [];
  const { args } = await caller.call(at("count"), [10], {}, { onProgress: ([number]) => numbers.push(number) });
  same([numbers, args], [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10]], "progress and result");
}

async function ticket_good(ctx) {
  const session = await ctx.join({ realm: ctx.ticketRealm, authid: ctx.authid, ticket: ctx.credentials });
  await session.register(at("quiet"), echo);
  await barrier(session);
}

// What a router may say to wrong credentials; the specification names the first.
const DENIALS = ["authentication_denied", "authentication_failed", "not_authorized", "no_such_principal"];

async function ticket_bad(ctx) {
  const reasons = DENIALS.map((name) => `wamp.error.${name}`);
  for (const [authid, ticket] of [[ctx.authid, `${ctx.credentials}x`], ["nobody", ctx.credentials]]) {
    await refused(ctx, { realm: ctx.ticketRealm, authid, ticket }, reasons);
  }
}

const basic = {
  join, leave, no_such_realm, call, values, application_error, pipelined_calls, no_such_procedure, register_twice,
  unregister, cancel_kill: canceled("kill"), cancel_killnowait: canceled("killnowait"), cancel_skip: canceled("skip"),
  callee_leaves, caller_leaves, publish_acknowledged, publish_unacknowledged, unsubscribe, two_subscribers,
  two_handlers, exclude_me, event_order, binary, odd_values, payload_ladder,
};

const group = (name, functions) =>
  Object.fromEntries(Object.entries(functions).map(([key, run]) => [key, { group: name, run }]));

// name -> { group, run }: "basic" always runs, the others when asked for.
export const SCENARIOS = {
  ...group("basic", basic),
  ...group("ticket", { ticket_good, ticket_bad }),
  ...group("progressive", { progressive_results }),
  ...group("large", { payload_large }),
};
