// `ws` and Socket.IO as peers of bench/edges.py, told on a control line what to publish (bench/rig/edge_alone.py).
//     node bench/peers/fan_out.mjs ws|socket.io --port P --ctl P --modules FOLDER
import { createServer as control } from "node:net";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const given = (name) => process.argv[process.argv.indexOf(name) + 1];
const [port, ctl] = [Number(given("--port")), Number(given("--ctl"))];
const require = createRequire(given("--modules") + "/");
const host = "127.0.0.1";
const STREAM = "chat:bench";
const FILLER = "x".repeat(400);

/** An event's JSON of about `size` bytes; `due` is BigInt nanoseconds, which no number of JavaScript holds. */
function body(seq, due, size) {
  const text = `{"stream":"${STREAM}","seq":${seq},"t":${due},"type":"message","data":{"text":"`;
  return text + FILLER.slice(0, Math.max(0, size - text.length - 3)) + '"}}';
}

/** `ws` as its documentation recommends it: one Buffer, sent to each client. No compression, no tracking. */
function withWs() {
  const { WebSocketServer, WebSocket } = require("ws");
  const everybody = new Set();
  const server = new WebSocketServer({ port, host, perMessageDeflate: false, backlog: 4096, clientTracking: false });
  server.on("connection", (viewer) => {
    everybody.add(viewer);
    viewer.on("close", () => everybody.delete(viewer));
    viewer.on("error", () => {});
  });
  return (text) => {
    const bytes = Buffer.from(text);
    for (const viewer of everybody) if (viewer.readyState === WebSocket.OPEN) viewer.send(bytes, { binary: false });
  };
}

/** Socket.IO on its ws engine, WebSocket transport only: `io.emit` encodes the packet and its frame once. */
function withSocketIo() {
  const { Server } = require("socket.io");
  const http = createServer();
  const quiet = { pingInterval: 600_000, pingTimeout: 600_000, perMessageDeflate: false, serveClient: false };
  const io = new Server(http, { transports: ["websocket"], ...quiet });
  http.listen({ port, host, backlog: 4096 });
  return (text) => io.emit("m", JSON.parse(text));
}

const publish = process.argv[2] === "ws" ? withWs() : withSocketIo();
const now = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
let number = 0;

control((socket) => {
  socket.on("error", () => {});
  socket.on("data", (line) => {
    const [, rate, seconds, , size, , start] = line.toString().split(/\s+/);
    const count = Math.floor(Number(rate) * Number(seconds));
    let done = 0;
    let late = 0;
    const step = () => {
      if (done >= count) return void socket.write(`done ${count} ${late.toFixed(1)}\n`);
      const due = BigInt(start) + BigInt(Math.floor((done * 1e9) / Number(rate)));
      const wait = Number(due - now()) / 1e6;
      if (wait > 0) return void setTimeout(step, wait);
      late = Math.max(late, -wait);
      publish(body(++number, due, Number(size)));
      done += 1;
      setImmediate(step);
    };
    step();
  });
}).listen(ctl, host);
