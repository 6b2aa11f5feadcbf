// What was done: by oneself here, which can be undone; and by whom in the channel.

import { clockTime, fullTime } from "../shared/words.ts";
import type { Deed } from "./deeds.ts";
import type { Desk } from "./desk.ts";

const STATES: Readonly<Record<Deed["state"], string>> = { waiting: "in a moment", working: "under way", done: "", undone: "undone", failed: "failed" };

export function LogPane({ desk }: { desk: Desk }) {
  const deeds = desk.deeds.all.value;
  return (
    <section class="pane pane-log" aria-labelledby="log-title">
      <header class="pane-head"><h2 id="log-title">Log</h2></header>
      <div class="scroll" tabIndex={0} role="region" aria-label="What was done">
        <section class="card" aria-labelledby="own-title">
          <h3 id="own-title">By you, on this page</h3>
          {deeds.length === 0 && <p class="quiet">Nothing yet.</p>}
          <ol class="deeds">
            {deeds.map((deed) => (
              <li key={deed.id} class={deed.state}>
                <time dateTime={deed.at} title={fullTime(deed.at)}>{clockTime(deed.at)}</time>
                <span>{deed.said}{STATES[deed.state] && <small> ({STATES[deed.state]})</small>}</span>
                {canUndo(deed) && <button type="button" class="button plain" onClick={() => void desk.deeds.undo(deed.id)}>Undo</button>}
              </li>
            ))}
          </ol>
        </section>
      </div>
    </section>
  );
}

function canUndo({ state, undo }: Deed): boolean {
  return undo !== null && (state === "done" || state === "waiting");
}

/** The latest, for a moment's look, with its way back. */
export function Latest({ desk }: { desk: Desk }) {
  const [deed] = desk.deeds.all.value;
  return (
    <div class="latest">
      <p role="status" class={deed?.state}>{deed && <>{deed.said}{STATES[deed.state] && ` (${STATES[deed.state]})`}</>}</p>
      {desk.deeds.next.value && <button type="button" class="button plain" data-do="undo" onClick={() => void desk.deeds.undo()}>Undo</button>}
    </div>
  );
}
