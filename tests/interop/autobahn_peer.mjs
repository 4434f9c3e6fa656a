#!/usr/bin/env node
// Drives WAMP routers with autobahn-js: json, msgpack and cbor over WebSocket, json over RawSocket on TCP and Unix
// sockets. --help says how.

import { Failure, Refused } from "./javascript/checks.mjs";
import { load, main, watched } from "./javascript/runner.mjs";

const autobahn = load("autobahn");
const { JSONSerializer, MsgpackSerializer, CBORSerializer } = autobahn.serializer;
const SERIALIZERS = { json: JSONSerializer, msgpack: MsgpackSerializer, cbor: CBORSerializer };

// The library takes that of the browser, which Node.js has as well.
globalThis.WebSocket = watched(globalThis.WebSocket);

// What the transport of the library wants to know.
function transport(url, serializer) {
  if (url.startsWith("unix:")) return { type: "rawsocket", path: url.slice("unix:".length) };
  if (url.startsWith("rs:")) {
    const { hostname, port } = new URL(url.replace(/^rs:/, "http:"));
    return { type: "rawsocket", host: hostname, port: Number(port) };
  }
  return { type: "websocket", url, serializers: [new SERIALIZERS[serializer]()] };
}

function failure(error) {
  return error instanceof autobahn.Error ? new Failure(error.error, error.args, error.kwargs) : error;
}

// A promise of the library's as one of ours, with our errors.
async function ours(promise, onProgress) {
  try {
    return await new Promise((resolve, reject) => promise.then(resolve, reject, onProgress));
  } catch (error) {
    throw failure(error);
  }
}

// The library gives a single value as it is, nothing as null, and wraps everything else.
function unwrap(result) {
  if (result instanceof autobahn.Result) return { args: result.args, kwargs: result.kwargs };
  return { args: result === null ? [] : [result], kwargs: {} };
}

class Session {
  constructor(connection, session, details, left) {
    this.connection = connection;
    this.session = session;
    this.id = session.id;
    this.roles = details.roles;
    this.left = left;
  }

  async call(uri, args, kwargs, { onProgress } = {}) {
    const options = onProgress ? { receive_progress: true } : {};
    const notify = onProgress && ((result) => onProgress(unwrap(result).args));
    return unwrap(await ours(this.session.call(uri, args, kwargs, options), notify));
  }

  start(uri, args) {
    const call = this.session.call(uri, args);
    const request = Object.keys(this.session._call_reqs).map(Number).at(-1);
    // The library's own cancel() forgets the call unless the mode is kill, and takes the answer for a violation.
    const cancel = (mode) => this.session._send_wamp([49, request, { mode }]);
    return { result: ours(call).then(unwrap), cancel };
  }

  async register(uri, procedure) {
    const endpoint = async (args, kwargs, { progress }) => {
      try {
        const result = await procedure({ args, kwargs, progress });
        return new autobahn.Result(result.args, result.kwargs);
      } catch (error) {
        throw new autobahn.Error(error.uri ?? "wamp.error.runtime_error", error.args ?? [String(error)], error.kwargs);
      }
    };
    const registration = await ours(this.session.register(uri, endpoint));
    return { unregister: () => ours(registration.unregister()) };
  }

  async subscribe(uri, handler) {
    const subscription = await ours(this.session.subscribe(uri, handler));
    return { unsubscribe: () => ours(subscription.unsubscribe()) };
  }

  async publish(uri, args, kwargs, options) {
    // Without an acknowledgement there is nothing to wait for.
    return (await this.session.publish(uri, args, kwargs, options))?.id;
  }

  async leave() {
    if (this.session.isOpen) this.connection.close();
    return this.left;
  }
}

// A joined session, or a Refused.
function join({ url, realm, serializer, authid, ticket }) {
  const credentials = ticket === undefined ? {} : { authid, authmethods: ["ticket"], onchallenge: () => ticket };
  // Errors that a scenario provokes are no news; what matters is in the report.
  const quiet = { on_user_error: () => {}, on_internal_error: () => {} };
  const transports = [transport(url, serializer)];
  const connection = new autobahn.Connection({ realm, transports, max_retries: 0, ...quiet, ...credentials });
  return new Promise((resolve, reject) => {
    let closed;
    const left = new Promise((done) => (closed = done));
    connection.onopen = (session, details) => resolve(new Session(connection, session, details, left));
    connection.onclose = (how, details) => {
      reject(new Refused(details.reason ?? how));
      closed(details.reason ?? how);
      // No reconnecting.
      return true;
    };
    connection.open();
  });
}

// Why it cannot do a scenario in these serializers.
function cannot(scenario, serializers) {
  if (scenario === "binary" && serializers.includes("json")) return "bytes in JSON are unknown to it";
  return undefined;
}

// Which of the odd values it does not write.
function refuses(name, serializer) {
  return serializer === "msgpack" && ["undefined", "deeper"].includes(name);
}

main({ join, cannot, refuses });
