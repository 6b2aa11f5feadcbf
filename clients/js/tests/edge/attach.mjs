// node attach.mjs GATEWAY TOKEN put STREAM BYTES | get ID: uploads so many bytes, or fetches; says what came of it as JSON.

import { createHash } from "node:crypto";

import { Attachments } from "../../dist/index.js";

const [gateway, token, what, ...given] = process.argv.slice(2);
const attachments = new Attachments({ gateway, token, device: "node" });
const hashed = (bytes) => createHash("sha256").update(bytes).digest("hex");
const progress = [];
const onProgress = (done, size) => progress.push([done, size]);
try {
  if (what === "put") {
    const bytes = Buffer.alloc(Number(given[1]), "touchline ");
    const id = await attachments.upload(given[0], new Blob([bytes], { type: "image/png" }), { name: "käse.png", onProgress });
    console.log(JSON.stringify({ id, sha256: hashed(bytes), progress: progress.at(-1) }));
  } else {
    const found = await attachments.look(given[0]);
    const blob = await attachments.fetch(given[0], { onProgress });
    console.log(JSON.stringify({ name: found.name, type: blob.type, sha256: hashed(Buffer.from(await blob.arrayBuffer())), progress: progress.at(-1) }));
  }
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
