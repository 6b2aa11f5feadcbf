// The ticker: what happened, newest first, along a chalk line; line-ups and statistics beside it, where they are told.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { t } from "../shared/tongue.ts";
import { clockTime, fullTime } from "../shared/times.ts";
import type { Entry, Match } from "./match.ts";
import type { Room } from "./room.ts";
import type { Sheet } from "./sheet.ts";

type Part = "ticker" | "lineups" | "figures";
export interface SheetProps {
  readonly sheet: Sheet;
  readonly match: Match;
  readonly part: "lineups" | "figures";
}

export function Timeline({ room, demo }: { room: Room; demo: ComponentChildren }) {
  const { entries, sheet, match, tells, problem } = room.playing;
  const chosen = useSignal<Part>("ticker");
  const keyOnly = useSignal(false);
  const { home, away, figures } = sheet.value;
  const parts: (readonly [Part, string])[] = [["ticker", t("Ticker")]];
  if (home.length + away.length > 0) parts.push(["lineups", t("Line-ups")]);
  if (figures.length > 0) parts.push(["figures", t("Statistics")]);
  const part = parts.some(([name]) => name === chosen.value) ? chosen.value : "ticker";
  const shown = keyOnly.value ? entries.value.filter(({ moment, score }) => moment !== "note" || score !== "") : entries.value;
  const notes = entries.value.some(({ moment }) => moment === "note");
  return (
    <section class="pane pane-match" aria-labelledby="match-title">
      <header class="pane-head">
        <h2 id="match-title" class={parts.length > 1 ? "sr-only" : ""}>{t("Ticker")}</h2>
        {parts.length > 1 && (
          <div class="parts" role="group" aria-label={t("What to show of the match")}>
            {parts.map(([name, label]) => <button key={name} type="button" data-part={name} aria-pressed={part === name} onClick={() => (chosen.value = name)}>{label}</button>)}
          </div>
        )}
        {entries.value.length > 0 && (
          <div class="ticker-tools">
            {part === "ticker" && (notes || keyOnly.value) && <button type="button" class="tool" id="key-moments" aria-pressed={keyOnly.value} onClick={() => (keyOnly.value = !keyOnly.value)}>{t("Key moments")}</button>}
            {"Notification" in window && (
              <button type="button" class="tool" id="tell-goals" aria-pressed={tells.value} title={t("A note on your screen when a goal is scored while this page is out of sight")} onClick={() => void room.playing.tellGoals(!tells.value)}>{t("Goal alerts")}</button>
            )}
          </div>
        )}
      </header>
      {problem.value && <p class="notice" role="status">{problem.value}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="match-title">
        {part !== "ticker" ? <SheetPart sheet={sheet.value} match={match.value} part={part} /> : entries.value.length === 0 ? <Empty room={room} demo={demo} /> : (
          <ol class="timeline">{shown.map((entry) => <Item entry={entry} key={entry.seq} />)}</ol>
        )}
      </div>
    </section>
  );
}

/** Fetched when it is first looked at. */
function SheetPart(props: SheetProps) {
  const drawn = useSignal<{ readonly View: ComponentType<SheetProps> } | null>(null);
  const broken = useSignal(false);
  useEffect(() => {
    import("./sheetview.tsx").then(({ SheetView }) => (drawn.value = { View: SheetView }), () => (broken.value = true));
  }, []);
  if (broken.value) return <p class="empty">{t("It could not be loaded. The ticker goes on.")}</p>;
  const View = drawn.value?.View;
  return View ? <View {...props} /> : <p class="empty" aria-busy="true">{t("Getting it…")}</p>;
}

function Empty({ room, demo }: { room: Room; demo: ComponentChildren }) {
  if (room.status.value.state === "refused") return <p class="empty">{t("What happens here is for those who are let in.")}</p>;
  if (room.broadcastProblem.value) return <p class="empty"><strong>{t("You cannot watch this ticker")}</strong>{room.broadcastProblem.value}</p>;
  if (!room.broadcastLoaded.value) return <p class="empty" aria-busy="true">{t("Getting what has happened so far…")}</p>;
  return (
    <div class="empty">
      {room.nothing.value ? (
        <p><strong>{t("There is nothing in {name}", { name: room.channel })}</strong>{t("Is that the name you mean? It begins with the first thing that is posted there.")} <a href={room.home}>{t("All that is on")}</a></p>
      ) : (
        <p><strong>{t("Nothing has happened yet")}</strong>{t("The ticker starts with the first event of")} <code>broadcast:{room.channel}</code>.</p>
      )}
      {demo}
    </div>
  );
}

/** An event as viewers see it. */
export function Item({ entry, children }: { entry: Entry; children?: ComponentChildren }) {
  return (
    <li class={`item arrives ${entry.moment}${entry.red ? " red" : ""}`}>
      <span class="minute">{entry.minute || <time dateTime={entry.at} title={fullTime(entry.at)}>{clockTime(entry.at)}</time>}</span>
      <span class="peg" aria-hidden="true" />
      <div>
        <p class="item-title"><bdi>{entry.title}</bdi>{entry.score && <b class="item-score">{entry.score}</b>}</p>
        {entry.text && <p class="item-text" dir="auto">{entry.text}</p>}
        {entry.corrected && <p class="item-note">{t("Corrected")}</p>}
        {children}
      </div>
    </li>
  );
}
