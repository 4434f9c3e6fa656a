// Comparing what came with what should have come.

// An error of the application's or the router's, from whichever library.
export class Refusal extends Error {
  constructor(uri, args, kwargs) {
    super(uri);
    this.name = "Refusal";
    Object.assign(this, { uri, args: args ?? [], kwargs: kwargs ?? {} });
  }
}

// The same text for what is the same to WAMP: order of keys, width of integers and kind of byte array do not count.
function canonical(value) {
  if (value instanceof Uint8Array) return `bytes(${Array.from(value)})`;
  if (Array.isArray(value)) return `[${value.map(canonical)}]`;
  if (value instanceof Map) return canonical(Object.fromEntries(value));
  if (value !== null && typeof value === "object") {
    return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
  }
  return typeof value === "bigint" ? String(value) : String(JSON.stringify(value));
}

const short = (text) => (text.length > 200 ? `${text.slice(0, 200)}… (${text.length})` : text);

export function equal(actual, expected) {
  const [is, should] = [canonical(actual), canonical(expected)];
  if (is !== should) throw new Error(`${short(is)} instead of ${short(should)}`);
}

export async function refused(promise) {
  const error = await promise.then(
    () => new Error("it succeeded"),
    (error) => error,
  );
  if (!(error instanceof Refusal)) throw error;
  return error;
}
