// Runs the steps with the library, serializer and router that the address names, a row of the table each:
// ?library=wampy&serializer=cbor&router=wss://127.0.0.1:8080/&prefix=com.example&realm=realm1&compressed=false

import { table } from "./table.mjs";
import { watchSockets } from "./sockets.mjs";

const LIBRARIES = {
  autobahn: () => autobahn("/bundle/autobahn.js"),
  "autobahn-browser": () => autobahn("/packages/autobahn-browser/autobahn.min.js"),
  wampy: async () => (await import("./wampy.mjs")).join,
};

async function autobahn(source) {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot load ${source}`));
    document.head.append(script);
  });
  return (await import("./autobahn.mjs")).join;
}

const settings = Object.fromEntries(new URLSearchParams(location.search));
window.addEventListener("error", ({ message }) => table.fail(message));
window.addEventListener("unhandledrejection", ({ reason }) => table.fail(reason));
try {
  const sockets = watchSockets();
  const join = await LIBRARIES[settings.library]();
  const { run } = await import("./steps.mjs");
  await run({ ...settings, join, sockets });
} catch (error) {
  table.fail(error);
} finally {
  window.finish();
}
