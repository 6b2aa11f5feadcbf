// The button that plays a match of ninety seconds in a channel.

import { useSignal } from "@preact/signals";

import { ask } from "./config.ts";
import { t } from "./tongue.ts";

export function DemoButton({ channel, onStarted }: { channel: string; onStarted?: () => void }) {
  const state = useSignal<"idle" | "starting" | "started">("idle");
  const problem = useSignal("");
  const start = async () => {
    state.value = "starting";
    try {
      await ask("/v1/demo", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ channel }) });
      state.value = "started";
      problem.value = "";
      onStarted?.();
    } catch (error) {
      state.value = "idle";
      problem.value = error instanceof Error ? error.message : t("It did not start.");
    }
  };
  return (
    <>
      <p><button type="button" class="button" disabled={state.value !== "idle"} onClick={() => void start()}>{state.value === "idle" ? t("Start the demo match") : t("Kicking off…")}</button></p>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
    </>
  );
}
