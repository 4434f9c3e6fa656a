#!/usr/bin/env node
// Drives WAMP routers with wampy: json, msgpack and cbor over WebSocket. --help says how.

import { Failure, Refused } from "./javascript/checks.mjs";
import { OPTIONS, load, main, watched } from "./javascript/runner.mjs";

const { Wampy } = load("wampy");
const WebSocket = watched(load("ws").WebSocket);
const SERIALIZERS = {
  json: load("wampy/JsonSerializer.js").JsonSerializer,
  msgpack: load("wampy/MsgpackSerializer.js").MsgpackSerializer,
  cbor: load("wampy/CborSerializer.js").CborSerializer,
};

// Left out, it sends both as undefined, which a router should take for absent.
const WITH_CROSSBAR = OPTIONS["known-quirks"] === "crossbar";
const SUBSCRIBE_OPTIONS = WITH_CROSSBAR ? { match: "exact", get_retained: false } : undefined;

async function ours(promise) {
  try {
    return await promise;
  } catch (error) {
    throw error.errorUri ? new Failure(error.errorUri, error.argsList ?? [], error.argsDict ?? {}) : error;
  }
}

const payload = (args = [], kwargs = {}) => ({ argsList: args, argsDict: kwargs });
const unwrap = ({ argsList, argsDict }) => ({ args: argsList ?? [], kwargs: argsDict ?? {} });

class Session {
  constructor(wampy, details) {
    this.wampy = wampy;
    // In MessagePack long integers are BigInts to it.
    this.id = Number(wampy.getSessionId());
    this.roles = details.roles;
  }

  async call(uri, args, kwargs, { onProgress } = {}) {
    const options = onProgress ? { progress_callback: ({ argsList }) => onProgress(argsList ?? []) } : {};
    return unwrap(await ours(this.wampy.call(uri, payload(args, kwargs), options)));
  }

  start(uri, args) {
    const result = ours(this.wampy.call(uri, payload(args))).then(unwrap);
    const { reqId } = this.wampy.getOpStatus();
    return { result, cancel: (mode) => this.wampy.cancel(reqId, { mode }) };
  }

  async register(uri, procedure) {
    await ours(
      this.wampy.register(uri, async ({ argsList, argsDict, result_handler }) => {
        const progress = (args) => result_handler({ ...payload(args), options: { progress: true } });
        try {
          const { args, kwargs } = await procedure({ args: argsList ?? [], kwargs: argsDict ?? {}, progress });
          return payload(args, kwargs);
        } catch (error) {
          throw { error: error.uri ?? "wamp.error.runtime_error", ...payload(error.args, error.kwargs) };
        }
      }),
    );
    return { unregister: () => ours(this.wampy.unregister(uri)) };
  }

  async subscribe(uri, handler) {
    const onEvent = ({ argsList, argsDict }) => handler(argsList ?? [], argsDict ?? {});
    const { subscriptionId } = await ours(this.wampy.subscribe(uri, onEvent, SUBSCRIBE_OPTIONS));
    return { unsubscribe: () => ours(this.wampy.unsubscribe(subscriptionId, onEvent)) };
  }

  async publish(uri, args, kwargs, options) {
    return Number((await ours(this.wampy.publish(uri, payload(args, kwargs), options ?? {}))).publicationId);
  }

  async leave() {
    // It does not tell the router's reason.
    await this.wampy.disconnect();
  }
}

// A joined session, or a Refused.
async function join({ url, realm, serializer, authid, ticket }) {
  const credentials = ticket === undefined ? {} : { authid, authmethods: ["ticket"], onChallenge: () => ticket };
  const wampy = new Wampy(url, {
    realm,
    ws: WebSocket,
    serializer: new SERIALIZERS[serializer](),
    uriValidation: "loose",
    autoReconnect: false,
    ...credentials,
  });
  try {
    return new Session(wampy, await wampy.connect());
  } catch (error) {
    throw new Refused(error.errorUri ?? String(error));
  }
}

// Why it cannot do a scenario in these serializers.
function cannot(scenario, serializers) {
  if (scenario === "binary" && serializers.includes("json")) return "bytes in JSON are unknown to it";
  if (scenario === "publish_unacknowledged") return "it always asks for an acknowledgement";
  if (scenario === "exclude_me") return "it drops exclude_me: false";
  if (!WITH_CROSSBAR) return undefined;
  if (scenario === "unsubscribe") return "it forgets what it subscribed with options";
  if (scenario === "unregister" && serializers[1] === "cbor") return "it writes the long ids of Crossbar as floats";
  return undefined;
}

main({ join, cannot });
