// Keeps what the library does with the browser's WebSockets.

export function watchSockets() {
  const sockets = [];
  class Watched extends WebSocket {
    constructor(...args) {
      super(...args);
      this.closed = new Promise((resolve) => this.addEventListener("close", resolve));
      sockets.push(this);
    }
  }
  globalThis.WebSocket = Watched;
  return sockets;
}
