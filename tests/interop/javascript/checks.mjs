// What scenarios and libraries have in common, and what a scenario says when something is wrong.

import { inspect, isDeepStrictEqual } from "node:util";

// The router answered HELLO with ABORT, or closed the transport instead.
export class Refused extends Error {
  constructor(reason) {
    super(`refused: ${reason}`);
    this.reason = reason;
  }
}

// An ERROR: what a request ends in, and what a procedure throws.
export class Failure extends Error {
  constructor(uri, args = [], kwargs = {}) {
    super(uri);
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

// Equality all the way down; bytes are equal whatever kind of array holds them.
export function same(got, wanted, what) {
  if (!isDeepStrictEqual(plain(got), plain(wanted))) {
    const show = (value) => inspect(value, { depth: 6, breakLength: Infinity }).slice(0, 200);
    throw new Error(`${what}: got ${show(got)}, wanted ${show(wanted)}`);
  }
}

// The value without what tells only one library's objects from another's.
function plain(value) {
  if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) {
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex") };
  }
  if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  }
  return value;
}

// The Failure that a promise ends in, which has to have this URI.
export async function failureOf(promise, uri, what) {
  let got;
  try {
    got = await promise;
  } catch (error) {
    check(error instanceof Failure, `${what}: ${error?.stack ?? error}`);
    check(error.uri === uri, `${what}: error ${error.uri}, wanted ${uri}`);
    return error;
  }
  throw new Error(`${what}: succeeded with ${inspect(got).slice(0, 200)}, wanted ${uri}`);
}

// A promise to be fulfilled by hand.
export function gate() {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { open, opened };
}

// A handler that keeps the events it got.
export function inbox() {
  const events = [];
  return { events, add: (args, kwargs) => void events.push([args, kwargs]) };
}

// A promise that must not take longer.
export async function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
