// What one may do with a message: answer, change, take back, report; and, who leads the room, mute and ban.

import { useSignal } from "@preact/signals";

import type { Line } from "../shared/chatlog.ts";
import { MAX_REASON } from "../shared/generated.ts";
import { t } from "../shared/tongue.ts";
import { done } from "./people.ts";
import type { Room } from "./room.ts";

export function Actions({ room, line }: { room: Room; line: Line }) {
  const said = useSignal("");
  const reason = useSignal("");
  const reporting = useSignal(false);
  if (line.seq === 0 || line.retracted || line.gap || line.system) return null;
  const { people, pinned } = room;
  const mine = line.mine || (room.user !== "" && line.sender === room.user);
  const write = (edit: boolean) => {
    room.about.value = { line, edit };
    requestAnimationFrame(() => document.getElementById("message")?.focus());
  };
  const act = (work: Promise<string>) => void work.then((sentence) => (said.value = sentence));
  const report = (event: Event) => {
    event.preventDefault();
    if (reason.value.trim() === "") return;
    act(people.report(line.id, reason.value.trim()));
    reporting.value = false;
    reason.value = "";
  };
  return (
    <details class="actions">
      <summary aria-label={t("What to do with this message of {n}", { n: line.name || t("somebody") })}>⋯</summary>
      <div class="actions-row">
        <button type="button" data-do="reply" onClick={() => write(false)}>{t("Reply")}</button>
        {mine && <button type="button" data-do="edit" onClick={() => write(true)}>{t("Edit")}</button>}
        {(mine || people.leads) && <button type="button" data-do="retract" onClick={() => act(done(room.change(line, null), ""))}>{t("Take back")}</button>}
        {people.leads && (pinned.shown.value?.id === line.id
          ? <button type="button" data-do="unpin" onClick={() => act(done(pinned.unpin(line.id), ""))}>{t("Unpin")}</button>
          : <button type="button" data-do="pin" onClick={() => act(done(pinned.pin(line.id), ""))}>{t("Pin")}</button>)}
        {!mine && <button type="button" data-do="report" aria-expanded={reporting.value} onClick={() => (reporting.value = !reporting.value)}>{t("Report")}</button>}
        {!mine && people.leads && line.sender && (
          <>
            <button type="button" data-do="mute" onClick={() => act(people.mute(line.sender))}>{t("Mute for 10 minutes")}</button>
            <button type="button" data-do="ban" onClick={() => act(people.ban(line.sender))}>{t("Ban")}</button>
          </>
        )}
      </div>
      {reporting.value && (
        <form class="actions-row" onSubmit={report}>
          <input class="field reason" aria-label={t("What is wrong with it")} maxLength={MAX_REASON} placeholder={t("What is wrong with it?")} value={reason.value} onInput={(event) => (reason.value = event.currentTarget.value)} />
          <button type="submit" class="button" disabled={reason.value.trim() === ""}>{t("Report")}</button>
        </form>
      )}
      {said.value && <p class="actions-said" role="status">{said.value}</p>}
    </details>
  );
}

/** The message that this one answers, as far as it is here, and how many answers it has itself. */
export function Thread({ room, line }: { room: Room; line: Line }) {
  if (line.retracted) return null;
  const parent = line.replyTo === "" ? undefined : room.line(line.replyTo);
  return (
    <>
      {line.replyTo !== "" && (
        <p class="answers" dir="auto">
          {parent ? <button type="button" onClick={() => void room.showContext(parent.seq)}>↪ {parent.retracted ? t("A message that was taken back") : `${parent.name || t("Somebody")}: ${parent.text.slice(0, 80)}`}</button> : t("↪ An earlier message")}
        </p>
      )}
      {line.replies > 0 && <p class="answered">{line.replies === 1 ? t("1 reply") : t("{n} replies", { n: line.replies })}</p>}
    </>
  );
}
