// The hash by hand gives what Node's gives, however the pieces are cut.

import { createHash, randomBytes } from "node:crypto";

import { expect, test } from "vitest";

import { sha256 } from "../src/sha256.ts";

test.each([0, 1, 55, 56, 63, 64, 65, 127, 128, 1000, 100_000])("%i bytes", (size) => {
  const data = randomBytes(size);
  const hash = sha256();
  for (let start = 0; start < size; start += 77) hash.update(data.subarray(start, start + 77));
  expect(hash.hex()).toBe(createHash("sha256").update(data).digest("hex"));
});
