// The conversation with an edge: the cases that every client of Touchline must pass.

import { describe, test } from "vitest";

import { cases, Runner } from "./cases.ts";

describe("the shared cases", () => {
  for (const given of cases) test(given.name, () => new Runner(given).run());
});
