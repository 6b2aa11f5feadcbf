// Everything by keys: single ones while nothing is being typed, unless they are switched off.

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { Model } from "./model.ts";
import { actionsOf } from "./play.ts";
import { t } from "../shared/tongue.ts";

const KEPT = "touchline.studio.keys";

export interface Keys {
  readonly on: Signal<boolean>;
  readonly shown: Signal<boolean>;
  readonly show: () => void;
}

export function useKeys(model: Model): Keys {
  const on = useSignal(kept());
  const shown = useSignal(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || shown.value) return;
      if (event.key === "Escape") {
        model.discard();
        document.getElementById("writing")?.focus();
        return;
      }
      if (!on.value || isTyping(event.target)) return;
      if (does(model, event.key, () => (shown.value = true))) event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [model]);
  return { on, shown, show: () => (shown.value = true) };
}

/** What a key does; whether it does something. */
function does(model: Model, key: string, help: () => void): boolean {
  const { template, shown } = model.play.value;
  const draft = model.draft.value;
  if (draft?.action.side && (key === "1" || key === "2")) {
    document.querySelector<HTMLElement>(`.side[data-side=${key === "1" ? "home" : "away"}] input`)?.click();
    return true;
  }
  if (key === "?") help();
  else if (key === "s") document.getElementById("next")?.focus();
  else if (key === "h") document.getElementById("hold")?.click();
  else if (key === "u") model.undoing.value = shown.at(-1) ?? null;
  else {
    const action = actionsOf(template).find((one) => one.key === key);
    if (!action || model.later.refused.value) return false;
    model.choose(action);
  }
  return true;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("textarea, select, input:not([type=radio])");
}

export function KeysHelp({ keys, model }: { keys: Keys; model: Model }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (keys.shown.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [keys.shown.value]);
  const set = (on: boolean) => {
    keys.on.value = on;
    try {
      localStorage.setItem(KEPT, on ? "on" : "off");
    } catch {
      // As they were, next time.
    }
  };
  const rows = [
    ...actionsOf(model.play.value.template).map(({ key, name }) => [key, t(name)] as const),
    ["1, 2", t("The first team, the second")], ["s", t("To the next phase; Enter begins it")], ["h", t("Hold the clock, or let it run")], ["Enter", t("Post")], ["Esc", t("Discard")], ["u", t("Take the last event back; Enter confirms")], ["?", t("These keys")],
  ] as const;
  return (
    <dialog class="keys" ref={dialog} aria-labelledby="keys-title" onClose={() => (keys.shown.value = false)}>
      <h2 id="keys-title">{t("Keys")}</h2>
      <dl>{rows.map(([key, words]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{words}</dd></div>)}</dl>
      <label class="check"><input type="checkbox" checked={keys.on.value} onChange={(event) => set(event.currentTarget.checked)} /> {t("Single keys work while nothing is being typed")}</label>
      <form method="dialog"><button class="button">{t("Close")}</button></form>
    </dialog>
  );
}

function kept(): boolean {
  try {
    return localStorage.getItem(KEPT) !== "off";
  } catch {
    return true;
  }
}
