// What is set for a channel, seen and changed in a dialog.

import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";

import { CHANNEL } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";
import { Fetched, woven } from "./card.tsx";

export function ChannelSettings({ channel, name }: { channel: string; name?: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const shown = useSignal(false);
  const said = useSignal("");
  const open = () => {
    said.value = "";
    shown.value = true;
    dialog.current?.showModal();
  };
  const done = (text: string) => {
    said.value = text;
    dialog.current?.close();
  };
  return (
    <>
      <button type="button" class="button plain small" aria-label={name ?? t("Settings of {channel}", { channel })} disabled={!CHANNEL.test(channel)} onClick={open}>{t("Settings…")}</button>
      {said.value && <span class="said" role="status">{said.value}</span>}
      <dialog ref={dialog} class="settings" aria-labelledby={title} onClose={() => (shown.value = false)}>
        <p id={title}><strong>{woven(t("Settings of {channel}"), { channel: <bdi>{channel}</bdi> })}</strong></p>
        {shown.value && <Fetched onLeave={() => done("")}>{({ Form }) => <Form channel={channel} onDone={done} />}</Fetched>}
      </dialog>
    </>
  );
}
