// A session of wampy.

import { Wampy } from "wampy";
import { CborSerializer } from "wampy/CborSerializer.js";
import { JsonSerializer } from "wampy/JsonSerializer.js";
import { MsgpackSerializer } from "wampy/MsgpackSerializer.js";

import { Refusal } from "./checks.mjs";

const SERIALIZERS = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };

// A promise of the library's with our errors.
const ours = (promise) =>
  promise.catch((error) => {
    throw error.errorUri ? new Refusal(error.errorUri, error.argsList, error.argsDict) : error;
  });

const payload = (args = [], kwargs = {}) => ({ argsList: args, argsDict: kwargs });
const unwrap = ({ argsList, argsDict }) => ({ args: argsList ?? [], kwargs: argsDict ?? {} });

export async function join({ router, realm, serializer }) {
  const wampy = new Wampy(router, { realm, serializer: new SERIALIZERS[serializer](), autoReconnect: false });
  const { roles } = await ours(wampy.connect());
  return {
    roles,

    call: async (uri, args, kwargs) => unwrap(await ours(wampy.call(uri, payload(args, kwargs)))),

    start(uri) {
      const result = ours(wampy.call(uri));
      const { reqId } = wampy.getOpStatus();
      return { result, cancel: () => wampy.cancel(reqId, { mode: "kill" }) };
    },

    async register(uri, procedure) {
      const endpoint = async (invocation) => {
        try {
          const { args, kwargs } = await procedure(unwrap(invocation));
          return payload(args, kwargs);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          throw { error: error.uri, ...payload(error.args, error.kwargs) };
        }
      };
      await ours(wampy.register(uri, endpoint));
      return { unregister: () => ours(wampy.unregister(uri)) };
    },

    async subscribe(uri, handler) {
      const { subscriptionKey } = await ours(wampy.subscribe(uri, (event) => handler(unwrap(event))));
      return { unsubscribe: () => ours(wampy.unsubscribe(subscriptionKey)) };
    },

    publish: (uri, args, kwargs) => ours(wampy.publish(uri, payload(args, kwargs))),

    leave: () => wampy.disconnect(),
  };
}
