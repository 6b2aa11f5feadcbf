// How a page begins: with what the gateway tells it, or with a sentence that says why it cannot.

import { type ComponentChild, render } from "preact";

import { loadConfig, type PageConfig } from "./config.ts";
import { t } from "./tongue.ts";

/** `ready` is waited for, too: a page that speaks several languages waits for its own. */
export function start(begin: (config: PageConfig) => ComponentChild, ready: Promise<void> = Promise.resolve()): void {
  const app = document.getElementById("app");
  if (!app) return;
  Promise.all([loadConfig(), ready]).then(
    ([config]) => {
      render(begin(config), app);
      performance.mark("interactive");
    },
    (error: unknown) => render(<p class="empty failed" role="alert"><strong>{t("The page cannot start")}</strong>{error instanceof Error ? error.message : t("The gateway does not answer.")} {t("Load it again in a moment.")}</p>, app),
  );
}
