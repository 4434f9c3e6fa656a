// What libraries written for Node.js take for granted, for the bundle.

export { Buffer } from "buffer/";
export { default as process } from "process/browser";
