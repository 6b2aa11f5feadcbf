// A client written from docs/protocol.md alone, on `ws`: bare.mjs URL STREAM AFTER COUNT prints so many events.
import WebSocket from "ws";

const [url, stream, after, count] = process.argv.slice(2);
const socket = new WebSocket(url, "touchline.v1");
let left = Number(count);

socket.on("open", () => socket.send(JSON.stringify({ op: "subscribe", id: 1, stream, after: Number(after) })));
socket.on("message", (frame) => {
  for (const line of String(frame).split("\n")) {
    const message = JSON.parse(line);
    if (message.op !== "event" && message.op !== "subscribed") continue;
    console.log(JSON.stringify(message));
    if (message.op === "event" && --left === 0) socket.close(1000);
  }
});
socket.on("close", (code) => process.exit(left === 0 ? 0 : code));
socket.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
