// The ticker: what happened, newest first, along a chalk line.

import { clockTime, fullTime } from "../shared/words.ts";
import type { Entry } from "./match.ts";
import type { Room } from "./room.ts";

export function Timeline({ room, demo }: { room: Room; demo: preact.ComponentChildren }) {
  const entries = room.entries.value;
  return (
    <section class="pane pane-match" aria-labelledby="match-title">
      <header class="pane-head"><h2 id="match-title">Ticker</h2></header>
      <div class="scroll" tabIndex={0} role="region" aria-labelledby="match-title">
        {entries.length === 0 ? <Empty room={room} demo={demo} /> : (
          <ol class="timeline">{entries.map((entry) => <Item entry={entry} key={entry.seq} />)}</ol>
        )}
      </div>
    </section>
  );
}

function Empty({ room, demo }: { room: Room; demo: preact.ComponentChildren }) {
  if (room.status.value.state === "refused") return <p class="empty">What happens here is for those who are let in.</p>;
  if (room.broadcastProblem.value) return <p class="empty"><strong>You cannot watch this ticker</strong>{room.broadcastProblem.value}</p>;
  if (!room.broadcastLoaded.value) return <p class="empty" aria-busy="true">Getting what has happened so far…</p>;
  return (
    <div class="empty">
      <p><strong>Nothing has happened yet</strong>The ticker starts with the first event of <code>broadcast:{room.channel}</code>.</p>
      {demo}
    </div>
  );
}

/** An event as viewers see it. */
export function Item({ entry, children }: { entry: Entry; children?: preact.ComponentChildren }) {
  return (
    <li class={`item arrives ${entry.moment}${entry.red ? " red" : ""}`}>
      <span class="minute">{entry.minute || <time dateTime={entry.at} title={fullTime(entry.at)}>{clockTime(entry.at)}</time>}</span>
      <span class="peg" aria-hidden="true" />
      <div>
        <p class="item-title"><bdi>{entry.title}</bdi></p>
        {entry.text && <p class="item-text" dir="auto">{entry.text}</p>}
        {children}
      </div>
    </li>
  );
}
