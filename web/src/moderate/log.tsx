// What was done: by oneself here, which can be undone; and by whom in the channel.

import { clockTime, fullTime } from "../shared/times.ts";
import type { Deed } from "./deeds.ts";
import type { Desk } from "./desk.ts";
import { many, t } from "../shared/tongue.ts";

const STATES: Readonly<Record<Deed["state"], string>> = { waiting: "in a moment", working: "under way", done: "", undone: "undone", failed: "failed" };

export function LogPane({ desk }: { desk: Desk }) {
  const deeds = desk.deeds.all.value;
  return (
    <section class="pane pane-log" aria-labelledby="log-title">
      <header class="pane-head"><h2 id="log-title">{t("Log")}</h2></header>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("What was done")}>
        <section class="card" aria-labelledby="own-title">
          <h3 id="own-title">{t("By you, on this page")}</h3>
          {deeds.length === 0 && <p class="quiet">{t("Nothing yet.")}</p>}
          <ol class="deeds">
            {deeds.map((deed) => (
              <li key={deed.id} class={deed.state}>
                <time dateTime={deed.at} title={fullTime(deed.at)}>{clockTime(deed.at)}</time>
                <span>{deed.said}{STATES[deed.state] && <small> ({t(STATES[deed.state])})</small>}</span>
                {canUndo(deed) && <button type="button" class="button plain" onClick={() => void desk.deeds.undo(deed.id)}>{t("Undo")}</button>}
              </li>
            ))}
          </ol>
        </section>
        <section class="card" aria-labelledby="told-title">
          <h3 id="told-title">{t("By whom, in this channel")}</h3>
          {desk.told.value.length === 0 && <p class="quiet">{t("Nothing yet.")}</p>}
          <ol class="deeds told">
            {desk.told.value.map((event) => (
              <li key={event.id}>
                <time dateTime={event.server_ts} title={fullTime(event.server_ts)}>{clockTime(event.server_ts)}</time>
                <span><bdi>{typeof event.data["by"] === "string" ? event.data["by"] : t("An operator")}</bdi> {toldWords(event.data)}</span>
              </li>
            ))}
          </ol>
        </section>
      </div>
    </section>
  );
}

/** What an event of the audit log says. */
export function toldWords(data: Readonly<Record<string, unknown>>): string {
  const user = String(data["user"] ?? "");
  const span = typeof data["for_ms"] === "number" ? t(" for {span}", { span: spanOf(data["for_ms"]) }) : "";
  switch (data["do"]) {
    case "mute": return t("muted {user}{span}", { user, span });
    case "unmute": return t("let {user} write again", { user });
    case "ban": return t("banned {user}{span}", { user, span });
    case "unban": return t("let {user} read again", { user });
    case "retract": return t("took a message back");
    case "pin": return t("pinned a message");
    case "unpin": return t("unpinned a message");
    case "report": return t("reported a message");
    case "settle": return many(Number(data["reports"]), "closed {n} report", "closed {n} reports");
    case "reopen": return many(Number(data["reports"]), "opened {n} report again", "opened {n} reports again");
    case "set": return t("set {what}", { what: Object.entries((data["settings"] ?? {}) as Record<string, unknown>).map(([name, value]) => t("{name} to {value}", { name, value: value === null ? t("what it was") : String(value) })).join(", ") });
    default: return String(data["do"]);
  }
}

function spanOf(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1000)} s`;
  if (minutes < 60) return many(minutes, "{n} minute", "{n} minutes");
  return minutes < 48 * 60 ? many(Math.round(minutes / 60), "{n} hour", "{n} hours") : many(Math.round(minutes / 1440), "{n} day", "{n} days");
}

function canUndo({ state, undo }: Deed): boolean {
  return undo !== null && (state === "done" || state === "waiting");
}

/** The latest, for a moment's look, with its way back. */
export function Latest({ desk }: { desk: Desk }) {
  const [deed] = desk.deeds.all.value;
  return (
    <div class="latest">
      <p role="status" class={deed?.state}>{deed && <>{deed.said}{STATES[deed.state] && ` (${t(STATES[deed.state])})`}</>}</p>
      {desk.deeds.next.value && <button type="button" class="button plain" data-do="undo" onClick={() => void desk.deeds.undo()}>{t("Undo")}</button>}
    </div>
  );
}
