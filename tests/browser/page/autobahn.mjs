// A session of autobahn-js, whose script has set `autobahn`.

import { Refusal } from "./checks.mjs";

const { Connection, Error: Failure, Result, serializer: serializers } = autobahn;
const SERIALIZERS = {
  json: serializers.JSONSerializer,
  msgpack: serializers.MsgpackSerializer,
  cbor: serializers.CBORSerializer,
};

// A promise of the library's as one of ours, with our errors.
const ours = (promise) =>
  new Promise((resolve, reject) => {
    promise.then(resolve, (error) =>
      reject(error instanceof Failure ? new Refusal(error.error, error.args, error.kwargs) : error),
    );
  });

// A single value comes as it is and nothing as null; everything else is wrapped.
function unwrap(result) {
  if (result instanceof Result) return { args: result.args, kwargs: result.kwargs };
  return { args: result === null ? [] : [result], kwargs: {} };
}

export function join({ router, realm, serializer }) {
  const transport = { type: "websocket", url: router, serializers: [new SERIALIZERS[serializer]()] };
  const connection = new Connection({ transports: [transport], realm, max_retries: 0, retry_if_unreachable: false });
  return new Promise((resolve, reject) => {
    connection.onopen = (session, details) => resolve(wrap(connection, session, details));
    connection.onclose = (reason, details) => {
      reject(new Error(`${reason}: ${JSON.stringify(details)}`));
      return true;
    };
    connection.open();
  });
}

const wrap = (connection, session, { roles }) => ({
  roles,

  call: async (uri, args, kwargs) => unwrap(await ours(session.call(uri, args, kwargs))),

  start(uri) {
    const call = session.call(uri);
    // In mode kill the library waits for the answer; in the others it forgets the call and takes the answer for a violation.
    return { result: ours(call), cancel: () => call.cancel({ mode: "kill" }) };
  },

  async register(uri, procedure) {
    const endpoint = async (args, kwargs) => {
      try {
        const result = await procedure({ args, kwargs });
        return new Result(result.args, result.kwargs);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        throw new Failure(error.uri, error.args, error.kwargs);
      }
    };
    const registration = await ours(session.register(uri, endpoint));
    return { unregister: () => ours(registration.unregister()) };
  },

  async subscribe(uri, handler) {
    const subscription = await ours(session.subscribe(uri, (args, kwargs) => handler({ args, kwargs })));
    return { unsubscribe: () => ours(subscription.unsubscribe()) };
  },

  publish: (uri, args, kwargs) => ours(session.publish(uri, args, kwargs, { acknowledge: true })),

  leave: () => connection.close(),
});
