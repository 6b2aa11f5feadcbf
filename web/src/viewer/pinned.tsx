// The pinned message, above the chat: who said it, what, and a way to where it was said.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { spelled } from "../shared/names.ts";
import { t } from "../shared/tongue.ts";
import { done } from "./people.ts";
import type { Room } from "./room.ts";

export function PinnedLine({ room }: { room: Room }) {
  const problem = useSignal("");
  const message = room.pinned.shown.value;
  useEffect(() => { problem.value = ""; }, [message?.id]);
  if (message === null) return null;
  const unpin = () => void done(room.pinned.unpin(message.id), "").then((said) => (problem.value = said));
  return (
    <aside class="pinned" aria-label={t("Pinned message")}>
      <button type="button" class="pinned-text" title={t("Where it was said")} onClick={() => void room.showContext(message.seq)}>
        <span aria-hidden="true">📌 </span><b><bdi>{spelled(message.name || t("Somebody")).text}</bdi></b> <span dir="auto">{message.text || t("A file")}</span>
      </button>
      {room.people.leads && <button type="button" class="pinned-end" data-do="unpin" onClick={unpin}>{t("Unpin")}</button>}
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
    </aside>
  );
}
