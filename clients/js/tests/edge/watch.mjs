// Watches a stream with the built client in a plain Node, and prints what comes, a line of JSON each: for tests and measurements.
// node watch.mjs URL[,URL] STREAM AFTER COUNT [quiet]: ends when COUNT events have come; with `quiet` it prints only a summary.
// Each connection that is opened and closed is told too, by its edge.

import { connect } from "../../dist/index.js";

const [urls, stream, after, count, quiet] = process.argv.slice(2);
const print = (said) => process.stdout.write(`${JSON.stringify(said)}\n`);

class Told extends WebSocket {
  constructor(url, protocol) {
    super(url, protocol);
    this.addEventListener("open", () => print({ opened: url }));
    this.addEventListener("close", ({ code }) => print({ closed: url, code }));
  }
}

const client = connect({ url: urls.split(","), ...(quiet ? {} : { WebSocket: Told }) });
if (!quiet) client.onStatus((status) => print({ status: status.state }));

let seen = 0;
let [first, last] = [0, 0];
let ordered = true;
const onGap = (gap) => print({ gap });
for await (const { seq } of client.stream(stream, { after: Number(after), buffer: 1_000_000, onGap })) {
  if (!quiet) print({ seq });
  if (seen === 0) first = performance.now();
  ordered &&= seq > last;
  last = seq;
  if (++seen >= Number(count)) break;
}
const { user, system } = process.cpuUsage();
print({ seen, ordered, ms: performance.now() - first, cpu_ms: (user + system) / 1000 });
client.close();
