// What a page does with its partner, a Rust program in the same realm. The partner knows the same values.

import { Refusal, equal, refused } from "./checks.mjs";
import { table } from "./table.mjs";

const KEYWORDS = { text: "Übergang 渡り線 🚂", whole: -7, half: 2.5, yes: true, nothing: null, nested: { list: [1, [2, []]] } };
const WHY = "com.example.error.too_steep";
// Beyond 65,535 bytes the length of a frame has 64 bits; browsers cut what is long into several frames.
const LONG = "Gleisanschluss ".repeat(20_000);
const BYTES = Uint8Array.from({ length: 256 }, (_, at) => at);

// JSON has no bytes: there they are a text, NUL and base64.
const wireOf = (serializer) =>
  serializer !== "json"
    ? { write: (bytes) => bytes, read: (bytes) => bytes }
    : {
        write: (bytes) => `\0${btoa(String.fromCharCode(...bytes))}`,
        read: (text) => (equal(text[0], "\0"), Uint8Array.from(atob(text.slice(1)), (char) => char.charCodeAt(0))),
      };

export async function run({ join, sockets, router, realm, serializer, prefix, compressed }) {
  const uri = (name) => `${prefix}.${name}`;
  const { write, read } = wireOf(serializer);
  const reversed = (bytes) => Uint8Array.from(bytes).reverse();
  const { step } = table;

  const session = await step("join", async () => {
    const session = await join({ router, realm, serializer });
    equal(sockets.map(({ url, protocol }) => [new URL(url).href, protocol]), [[new URL(router).href, `wamp.2.${serializer}`]]);
    equal(sockets.map(({ extensions }) => extensions.startsWith("permessage-deflate")), [compressed === "true"]);
    equal([typeof session.roles.broker, typeof session.roles.dealer], ["object", "object"]);
    return session;
  });

  await step("call", async () => {
    equal(await session.call(uri("sum"), [2, 3]), { args: [5], kwargs: {} });
  });
  await step("call with keywords", async () => {
    equal(await session.call(uri("echo"), ["one", 2], KEYWORDS), { args: ["one", 2], kwargs: KEYWORDS });
  });
  await step("call with bytes", async () => {
    const { args } = await session.call(uri("reverse"), [write(BYTES)]);
    equal(args.map(read), [reversed(BYTES)]);
  });
  await step("call with a long text", async () => {
    const { args } = await session.call(uri("length"), [LONG]);
    equal(args, [LONG.length, LONG]);
  });
  await step("call refused by the callee", async () => {
    const { uri: why, args, kwargs } = await refused(session.call(uri("climb"), [28]));
    equal([why, args, kwargs], [WHY, ["too steep", 28], { limit: 25 }]);
  });
  await step("call of what is not there", async () => {
    const { uri: why } = await refused(session.call(uri("absent")));
    equal(why, "wamp.error.no_such_procedure");
  });
  await step("call canceled", async () => {
    const { result, cancel } = session.start(uri("dig"));
    await session.call(uri("digging"));
    cancel();
    const { uri: why } = await refused(result);
    equal(why, "wamp.error.canceled");
  });

  const registrations = await step("register", () => {
    const procedures = {
      sum: ({ args: [a, b] }) => ({ args: [a + b] }),
      echo: ({ args, kwargs }) => ({ args, kwargs }),
      reverse: ({ args: [bytes] }) => ({ args: [write(reversed(read(bytes)))] }),
      length: ({ args: [text] }) => ({ args: [text.length, text] }),
      climb: ({ args: [slope] }) => {
        throw new Refusal(WHY, ["too steep", slope], { limit: 25 });
      },
      dig: () => new Promise(() => {}),
    };
    const register = ([name, procedure]) => session.register(uri(`page.${name}`), async (invocation) => procedure(invocation));
    return Promise.all(Object.entries(procedures).map(register));
  });
  const events = [];
  let arrived;
  const subscription = await step("subscribe", () =>
    session.subscribe(uri("to_page"), (event) => {
      events.push(event);
      arrived?.();
    }),
  );
  await step("publish", async () => {
    for (const count of [1, 2, 3]) {
      await session.publish(uri("from_page"), [count, write(BYTES)], KEYWORDS);
    }
  });
  // Now the partner calls, publishes, and answers when it is through.
  await step("the partner's turn", async () => {
    equal(await session.call(uri("turn")), { args: [], kwargs: {} });
  });
  await step("events", async () => {
    while (events.length < 3) await new Promise((resolve) => (arrived = resolve));
    const came = events.map(({ args: [count, bytes], kwargs }) => ({ args: [count, read(bytes)], kwargs }));
    equal(came, [1, 2, 3].map((count) => ({ args: [count, BYTES], kwargs: KEYWORDS })));
  });
  await step("unregister", async () => {
    await Promise.all(registrations.map((registration) => registration.unregister()));
    equal(await session.call(uri("try")), { args: ["wamp.error.no_such_procedure"], kwargs: {} });
  });
  await step("unsubscribe", async () => {
    await subscription.unsubscribe();
    // It publishes once more before it answers.
    equal(await session.call(uri("tell")), { args: [], kwargs: {} });
    equal(events.length, 3);
  });
  await step("leave", async () => {
    await session.leave();
    const [{ code, wasClean }] = await Promise.all(sockets.map(({ closed }) => closed));
    equal([sockets.length, wasClean, code < 1002 || code === 1005], [1, true, true]);
  });
}
