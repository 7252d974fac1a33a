// Stands in for a network that swallows WebSockets: the socket stays in CONNECTING.
window.WebSocket = class {
  readyState = 0;
  send() {}
  close() {}
};
