// A browser that is driven through pipes: a command a line on standard input, its result a line on standard output.
// The tests themselves are in Python (tests/web/test_browser.py), beside the fixtures that start the pipeline.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const TIMEOUT_MS = 60_000;
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Of each window Chromium shows its own pages below the address bar, and keeps a process for the next: three fifths of what a page
 * costs here, and nobody sees them. The last list counts, so what Playwright would leave out stands here, too. */
const LEFT_OUT = [
  "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "SpareRendererForSitePerProcess",
  "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose",
  "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints",
  "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning",
];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");

const browser = await chromium.launch({ executablePath: process.argv[2], args: [...ARGUMENTS, `--disable-features=${LEFT_OUT}`] });
const pages = [];
const meters = [];
/** By page: what its edge said and it has yet to hear. */
const held = [];

/** Everything that a page complained of: errors, refusals of its content security policy. */
const complaints = [];

const commands = {
  /** With `hold`, events wait on their way to the page until `release`: somebody who is behind. `edges` are used instead of those
   * that the gateway names. */
  async open({ url, width = 1280, height = 800, scheme = "light", hold = false, edges = null, motion = "reduce", permissions = [] }) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: motion, permissions });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("dialog", (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
    });
    pages.push(page);
    if (hold) {
      const waiting = (held[pages.length - 1] = []);
      await page.routeWebSocket(/\/v1\/ws/, (socket) => {
        const edge = socket.connectToServer();
        edge.onMessage((text) => (waiting.open || !String(text).includes('"op":"event"') ? socket.send(text) : waiting.push(() => socket.send(text))));
      });
    }
    if (edges) {
      await page.route("**/v1/page", async (route) => {
        const config = await (await route.fetch()).json();
        await route.fulfill({ json: { ...config, edges } });
      });
    }
    await page.goto(url);
    return pages.length - 1;
  },
  /** The same page in other light, or on another device. */
  async look({ page, scheme, width, height }) {
    await pages[page].emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await pages[page].setViewportSize({ width, height });
    await pages[page].evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  },
  click: ({ page, selector }) => pages[page].click(selector),
  fill: ({ page, selector, text }) => pages[page].fill(selector, text),
  press: ({ page, key }) => pages[page].keyboard.press(key),
  /** Click on what saves a file; the file's text. */
  async download({ page, selector }) {
    const [saved] = await Promise.all([pages[page].waitForEvent("download"), pages[page].click(selector)]);
    return readFileSync(await saved.path(), "utf-8");
  },
  evaluate: ({ page, script }) => pages[page].evaluate(script),
  /** Asked again and again through the debugger: `waitForFunction` would need eval, which the policy forbids. */
  async until({ page, script, timeout = TIMEOUT_MS }) {
    const deadline = performance.now() + timeout;
    for (let problem = "never true"; ; ) {
      try {
        const value = await pages[page].evaluate(script);
        if (value) return value;
      } catch (error) {
        problem = String(error.message ?? error);
      }
      if (performance.now() > deadline) throw new Error(`not within ${timeout} ms: ${problem}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  },
  release({ page, of }) {
    held[page].open = of === null;
    for (const send of held[page].splice(0, of ?? Infinity)) send();
  },
  offline: ({ page, offline }) => pages[page].context().setOffline(offline),
  screenshot: async ({ page, path, full = false }) => void (await pages[page].screenshot({ path, fullPage: full })),
  close: ({ page }) => pages[page].context().close(),
  closeAll: async () => void (await Promise.all(browser.contexts().map((context) => context.close()))),
  /** Seconds of CPU that the page's main thread has used: unlike wall time it means the same on a busy machine. */
  async cpu({ page }) {
    meters[page] ??= await pages[page].context().newCDPSession(pages[page]);
    await meters[page].send("Performance.enable", { timeDomain: "threadTicks" });
    const { metrics } = await meters[page].send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value;
  },
  /** Runs a script. How many milliseconds of CPU each task of the page's main thread took meanwhile. */
  async work({ page, script }) {
    const begun = `work ${Math.random()}`;
    await browser.startTracing(pages[page], { categories: ["toplevel", "blink.user_timing"] });
    await pages[page].evaluate(`void performance.mark("${begun}")`);
    await pages[page].evaluate(script);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    const mark = traceEvents.find(({ name }) => name === begun);
    const own = traceEvents.filter(({ name, pid, tid, ts }) => name.endsWith("RunTask") && pid === mark.pid && tid === mark.tid && ts > mark.ts);
    return own.map(({ tdur, dur }) => (tdur ?? dur ?? 0) / 1000);
  },
  complaints: async () => complaints,
  forget: async () => complaints.splice(0),
  /** What axe-core finds, serious and critical only. The script is run by the debugger, which the policy does not bind. */
  async axe({ page }) {
    await pages[page].evaluate(AXE);
    const { violations } = await pages[page].evaluate("axe.run()");
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return grave.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ")}`);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await commands[command](given)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }));
  }
}
await browser.close();
