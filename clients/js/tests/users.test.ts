// Users' names in channels, by the table that all clients share.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { notifyChannel, userChannel } from "../src/index.ts";

const table = readFileSync(new URL("../../../tests/shared/user_names.json", import.meta.url), "utf-8");
const cases = JSON.parse(table) as { user: string; name: string }[];

test.each(cases)("the channels of $user", ({ user, name }) => {
  expect(userChannel(user)).toBe(`user-${name}`);
  expect(notifyChannel(user)).toBe(`notify-${name}`);
});
