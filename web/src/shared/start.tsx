// How a page begins: with what the gateway tells it, or with a sentence that says why it cannot.

import { type ComponentChild, render } from "preact";

import { loadConfig, type PageConfig } from "./config.ts";

export function start(begin: (config: PageConfig) => ComponentChild): void {
  const app = document.getElementById("app");
  if (!app) return;
  loadConfig().then(
    (config) => render(begin(config), app),
    (error: unknown) => render(<p class="empty failed" role="alert"><strong>The page cannot start</strong>{error instanceof Error ? error.message : "The gateway does not answer."} Load it again in a moment.</p>, app),
  );
}
