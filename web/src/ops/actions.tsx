// What an operator may do. Each deed is asked about first, and its outcome is said where it was asked for.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";

export function post<T>(path: string, body: unknown): Promise<T> {
  return ask<T>(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : t("It was refused.");
}

interface Props {
  /** On the button that asks, and (without its dots) on the one that does it. */
  readonly label: string;
  /** What a screen reader calls the button, where its label alone says too little. */
  readonly name?: string;
  readonly question: string;
  readonly children: ComponentChildren;
  readonly disabled?: boolean;
  readonly class?: string;
  /** Does it; resolves with a sentence on how it went. */
  readonly deed: () => Promise<string>;
}

export function Confirmed({ label, name, question, children, disabled = false, class: look = "button plain small", deed }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const said = useSignal<{ text: string; bad: boolean } | null>(null);
  const busy = useSignal(false);
  const go = async () => {
    dialog.current?.close();
    busy.value = true;
    try {
      said.value = { text: await deed(), bad: false };
    } catch (error) {
      said.value = { text: sentence(error), bad: true };
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <button type="button" class={look} aria-label={name} disabled={disabled || busy.value} onClick={() => dialog.current?.showModal()}>{label}…</button>
      {said.value && <span class={said.value.bad ? "said bad" : "said"} role={said.value.bad ? "alert" : "status"}>{said.value.text}</span>}
      <dialog ref={dialog} aria-labelledby={title}>
        <p id={title}><strong>{question}</strong></p>
        {children}
        <p class="dialog-buttons">
          <button class="button plain" type="button" onClick={() => dialog.current?.close()}>{t("Leave it")}</button>
          <button class="button" type="button" onClick={() => void go()}>{label}</button>
        </p>
      </dialog>
    </>
  );
}

/** Moves an edge's viewers elsewhere; under `touchline up` it is started again afterwards. */
export function Drain({ edge }: { edge: string }) {
  const deed = async () => {
    await post(`/v1/ops/edges/${encodeURIComponent(edge)}/drain`, {});
    return t("Its viewers are moving.");
  };
  return (
    <Confirmed label={t("Drain")} name={t("Drain {edge}", { edge })} question={t("Drain {edge}?", { edge })} deed={deed}>
      <p>{t("It takes no new viewers, moves the present ones to other edges, and then leaves. Nobody misses an event. Where it is supervised, it is started again.")}</p>
    </Confirmed>
  );
}

export function Retry({ receiver }: { receiver: string }) {
  const deed = async () => {
    await post(`/v1/webhooks/${encodeURIComponent(receiver)}/retry`, {});
    return t("It is tried now.");
  };
  return (
    <Confirmed label={t("Retry")} name={t("Retry {what}", { what: receiver })} question={t("Try {receiver} again now?", { receiver })} deed={deed}>
      <p>{t("What waits for its next try is posted at once, and what was given up since this was last asked for is posted once more.")}</p>
    </Confirmed>
  );
}

export function Reshard({ channel, shards, name }: { channel: string; shards: number; name?: string }) {
  const wanted = useSignal(Math.max(2, shards * 2));
  const fits = Number.isInteger(wanted.value) && wanted.value >= 1 && wanted.value <= 256;
  const deed = async () => {
    if (!fits) throw new Error(t("A channel has 1 to 256 shards."));
    await post(`/v1/channels/${encodeURIComponent(channel)}/reshard`, { shards: wanted.value });
    return t("Asked for {n}.", { n: wanted.value });
  };
  return (
    <Confirmed label={t("Reshard")} name={name ?? t("Reshard {channel}", { channel })} question={t("Spread the viewers of {channel} anew?", { channel })} disabled={!CHANNEL.test(channel)} deed={deed}>
      <p>{t("A new version of the channel is opened beside the old one, and its viewers move to it by themselves. Nobody misses an event.")}</p>
      <p><label class="shards">{t("Shards")} <input class="field" type="number" min="1" max="256" value={wanted.value} onInput={(event) => (wanted.value = Number(event.currentTarget.value))} /></label></p>
    </Confirmed>
  );
}
