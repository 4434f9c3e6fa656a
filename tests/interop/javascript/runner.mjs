// The command line of the JavaScript peers, and how they run their scenarios: peer.py, in JavaScript.

import { parseArgs } from "node:util";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { within } from "./checks.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const HELP = `Drives WAMP routers with a JavaScript library, and reports what it finds: every scenario, at each address,
with each serializer, prints one line of JSON on standard output:

    {"url": "ws://127.0.0.1:1/ws", "serializer": "cbor", "scenario": "call", "ok": true, "detail": null,
     "compressed": false, "ms": 12}

"compressed" where permessage-deflate was agreed on, which is always offered. The exit code is 0 only if every scenario was ok, 1 if one was not, 2 for a wrong command line.

    --packages FOLDER     the folder with node_modules (cargo xtask peers installs target/peers/js)
    --url URL             ws://HOST:PORT/PATH, wss://HOST:PORT/PATH (NODE_EXTRA_CA_CERTS names who vouches for the
                          router), and where the library can, rs://HOST:PORT or unix:/PATH; repeatable
    --serializer NAME     json, msgpack or cbor; json+cbor: callee and subscriber speak another one; repeatable
    --scenario NAME       repeatable; default: all that the library can
    --large-url URL       8 MiB too, sent here in each serializer that is alone: the router's limit is raised; repeatable
    --progressive         progressive results too
    --authid, --ticket, --ticket-realm, --realm
    --timeout SECONDS     for each scenario, 30 by default
    --known-quirks NAME   put up with what this router does otherwise: crossbar
    --list                print the names of the scenarios, and why the others cannot be run`;

// Libraries print warnings of their own where our lines go.
console.log = console.info = console.warn = () => {};

const many = { type: "string", multiple: true };
const one = { type: "string" };

function parse() {
  const { values } = parseArgs({
    options: {
      packages: one,
      url: { ...many, default: [] },
      serializer: { ...many, default: ["json"] },
      scenario: many,
      "large-url": { ...many, default: [] },
      progressive: { type: "boolean" },
      authid: one,
      ticket: one,
      "ticket-realm": one,
      realm: { ...one, default: "realm1" },
      timeout: { ...one, default: "30" },
      "known-quirks": one,
      list: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    process.exit(0);
  }
  const pairs = values.serializer.flatMap(pair);
  const unknown = pairs.find((name) => !["json", "msgpack", "cbor"].includes(name));
  if (unknown !== undefined) throw new Error(`no serializer ${unknown}`);
  const lost = values.scenario?.find((name) => !(name in SCENARIOS));
  if (lost !== undefined) throw new Error(`no scenario ${lost}`);
  if (!values.packages) throw new Error("--packages is missing");
  if (!values.list && !values.url.length && !values["large-url"].length) throw new Error("--url is missing");
  return values;
}

function options() {
  try {
    return parse();
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}\n`);
    process.exit(2);
  }
}

export const OPTIONS = options();

// Loads CommonJS packages from the folder that was named.
export const load = createRequire(join(resolve(OPTIONS.packages), "package.json"));

// Whether a WebSocket of this scenario was compressed.
let compressed = false;

// The class, whose sockets are watched for that.
export function watched(Socket) {
  return class extends Socket {
    constructor(...args) {
      super(...args);
      this.addEventListener("open", () => (compressed ||= this.extensions.includes("permessage-deflate")));
    }
  };
}

// The two serializers of json+cbor; those of json are the same.
function pair(text) {
  const [first, second = first] = text.split("+");
  return [first, second];
}

// What a scenario has: the router's address, what was asked for, and the sessions it opens.
class Context {
  constructor(library, url, serializer) {
    this.realm = OPTIONS.realm;
    this.authid = OPTIONS.authid;
    this.credentials = OPTIONS.ticket;
    this.ticketRealm = OPTIONS["ticket-realm"] ?? OPTIONS.realm;
    this.library = library;
    this.url = url;
    [this.serializer, this.other] = pair(serializer);
    this.sessions = [];
  }

  // Whether the peculiarities of this router are to be put up with.
  quirk(router) {
    return OPTIONS["known-quirks"] === router;
  }

  // A new joined session, which says GOODBYE when the scenario is over.
  async join(wanted = {}) {
    const all = { url: this.url, realm: this.realm, serializer: this.serializer, ...wanted };
    const session = await this.library.join(all);
    this.sessions.push(session);
    return session;
  }

  // Callee or subscriber, and caller or publisher: each may speak its own serializer.
  async pair() {
    return [await this.join({ serializer: this.other }), await this.join()];
  }

  // GOODBYE for all, the last opened first.
  async close() {
    while (this.sessions.length) await this.sessions.pop().leave();
  }
}

// Runs one scenario; its line.
async function run(name, library, url, serializer) {
  const context = new Context(library, url, serializer);
  const line = { url, serializer, scenario: name, ok: true, detail: null };
  compressed = false;
  const begin = performance.now();
  try {
    line.detail = (await within(Number(OPTIONS.timeout), SCENARIOS[name].run(context), name)) ?? null;
  } catch (error) {
    line.ok = false;
    line.detail = String(error?.uri ?? error?.stack ?? error);
  }
  try {
    await within(5, context.close(), "leaving");
  } catch (error) {
    line.ok = false;
    line.detail ??= String(error);
  }
  line.compressed = compressed;
  line.ms = Math.round(performance.now() - begin);
  return line;
}

// Why a scenario is not run.
function obstacle(library, name, serializer) {
  if (name.startsWith("cancel_") && OPTIONS["known-quirks"] === "crossbar") {
    return "Crossbar never answers when the callee cannot be interrupted";
  }
  if (name === "odd_values" && OPTIONS["known-quirks"] === "crossbar") {
    return "Crossbar ends the session that sends such a value, or the one that gets it";
  }
  return library.cannot(name, pair(serializer));
}

// The names of the scenarios of these groups that the library can do.
function chosen(library, groups, serializer) {
  const able = (name) => !obstacle(library, name, serializer);
  const named = (name) => OPTIONS.scenario?.includes(name) ?? groups.includes(SCENARIOS[name].group);
  return Object.keys(SCENARIOS).filter((name) => named(name) && able(name));
}

// Runs all scenarios asked for with `library`: { join(wanted), cannot(scenario, serializers) }.
export async function main(library) {
  if (OPTIONS.list) {
    for (const [name, { group }] of Object.entries(SCENARIOS)) {
      const why = obstacle(library, name, OPTIONS.serializer[0]);
      process.stdout.write(`${name} ${group}${why ? `: not run, ${why}` : ""}\n`);
    }
    process.exit(0);
  }
  let bad = 0;
  process.on("unhandledRejection", (error) => process.stderr.write(`nobody waited for: ${error?.stack ?? error}\n`));
  const groups = ["basic", ...(OPTIONS.ticket ? ["ticket"] : []), ...(OPTIONS.progressive ? ["progressive"] : [])];
  for (const [urls, wanted] of [[OPTIONS.url, groups], [OPTIONS["large-url"], ["large"]]]) {
    for (const url of urls) {
      for (const serializer of OPTIONS.serializer) {
        const [first, second] = pair(serializer);
        // It takes long, and shows nothing that shorter payloads do not.
        if (wanted.includes("large") && first !== second) continue;
        for (const name of chosen(library, wanted, serializer)) {
          const line = await run(name, library, url, serializer);
          bad += line.ok ? 0 : 1;
          process.stdout.write(`${JSON.stringify(line)}\n`);
        }
      }
    }
  }
  // What a library leaves behind, such as timers, is no reason to stay.
  process.stdout.write("", () => process.exit(bad ? 1 : 0));
}
