// In the head of the page: the button that follows the channel; and the bell, with the feed, what one is told, and wishes.

import { useSignal } from "@preact/signals";

import type { Room } from "./room.ts";
import { type Bell, TYPES } from "./bell.ts";
import { t } from "../shared/tongue.ts";

type Tab = "told" | "feed" | "wishes";

const TABS: readonly (readonly [Tab, string])[] = [["told", "For you"], ["feed", "Feed"], ["wishes", "What I want"]];
const SAID: Readonly<Record<string, string>> = {
  mention: "mentions you", reply: "answers you", live_started: "is live", friend: "asks to be your friend", invited: "has let you in",
};

export function BellAndFollow({ room, onChannel }: { room: Room; onChannel: (channel: string) => void }) {
  const { bell } = room;
  if (!bell.user) return null;
  const { following, followers, unread } = bell;
  const number = followers.value;
  return (
    <>
      {bell.followable && (
        <button type="button" class="follow" aria-pressed={following.value} title={number === null ? "" : t("{n} follow it", { n: number })} onClick={() => void bell.follow(!following.value)}>
          {following.value ? t("Following") : t("Follow")}{number !== null && number > 0 && <small> {number}</small>}
        </button>
      )}
      <details class="bell" onToggle={(event) => { if (event.currentTarget.open) { bell.look(); void bell.read(); } }}>
        <summary aria-label={unread.value > 0 ? t("Notifications, {n} unread", { n: unread.value }) : t("Notifications")}>
          <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path fill="currentColor" d="M12 2a6 6 0 0 0-6 6v5l-2 4h16l-2-4V8a6 6 0 0 0-6-6Zm-2 16a2 2 0 0 0 4 0Z" /></svg>
          {unread.value > 0 && <span class="unread" aria-hidden="true">{unread.value > 99 ? "99+" : unread.value}</span>}
        </summary>
        <Panel bell={bell} onChannel={onChannel} />
      </details>
      <span class="sr-only" role="status">{bell.said.value}</span>
    </>
  );
}

function Panel({ bell, onChannel }: { bell: Bell; onChannel: (channel: string) => void }) {
  const tab = useSignal<Tab>("told");
  return (
    <section class="bell-panel" aria-label={t("Notifications and feed")}>
      <div class="bell-tabs" role="group" aria-label={t("What to show")}>
        {TABS.map(([name, label]) => <button key={name} type="button" data-tab={name} aria-pressed={tab.value === name} onClick={() => (tab.value = name)}>{t(label)}</button>)}
      </div>
      {tab.value === "told" && <Told bell={bell} onChannel={onChannel} />}
      {tab.value === "feed" && <Feed bell={bell} onChannel={onChannel} />}
      {tab.value === "wishes" && <Wishes bell={bell} />}
    </section>
  );
}

function Told({ bell, onChannel }: { bell: Bell; onChannel: (channel: string) => void }) {
  const told = bell.told.value;
  if (told.length === 0) return <p class="quiet">{t("Nothing yet.")}</p>;
  return (
    <ul>
      {told.map(({ seq, type, data, server_ts: at }) => {
        const stream = String(data["stream"] ?? "");
        const where = stream.slice(stream.indexOf(":") + 1);
        const who = String((type === "live_started" ? where : data["by"]) ?? t("Somebody"));
        return (
          <li key={seq}>
            <button type="button" disabled={!where} onClick={() => onChannel(where)}><bdi>{who}</bdi> {t(SAID[type] ?? type)}{where && type !== "live_started" && <> {t("in")} <bdi>{where}</bdi></>}</button>
            <Time at={at} />
          </li>
        );
      })}
    </ul>
  );
}

function Feed({ bell, onChannel }: { bell: Bell; onChannel: (channel: string) => void }) {
  const events = bell.feed.value;
  if (events.length === 0) return <p class="quiet">{t("What the channels post that you follow is shown here.")}</p>;
  return (
    <>
      <ul>
        {events.map(({ id, stream, type, data, server_ts: at }) => {
          const channel = stream.slice(stream.indexOf(":") + 1);
          return (
            <li key={id}>
              <button type="button" onClick={() => onChannel(channel)}><b><bdi>{channel}</bdi></b> <span class="feed-text">{typeof data["text"] === "string" ? data["text"] : type === "live_started" ? t("is live") : type}</span></button>
              <Time at={at} />
            </li>
          );
        })}
      </ul>
      {bell.older.value && <button type="button" class="button" onClick={() => void bell.loadOlder()}>{t("Older")}</button>}
    </>
  );
}

function Wishes({ bell }: { bell: Bell }) {
  const wishes = bell.wishes.value;
  const quiet = useSignal<string | null>(null);
  if (!wishes) return <p class="quiet">{t("It is not known here yet.")}</p>;
  const now = quiet.value ?? wishes.quiet ?? "";
  const keep = (types: Partial<Notifications>) => void bell.want({ ...wishes.types, ...types }, now.trim() || null);
  return (
    <form class="wishes" onSubmit={(event) => { event.preventDefault(); keep({}); }}>
      {TYPES.map(([type, label]) => <label key={type}><input type="checkbox" checked={wishes.types[type]} onChange={(event) => keep({ [type]: event.currentTarget.checked })} /> {t(label)}</label>)}
      <label for="quiet">{t("Quiet hours, for what goes to your devices")}</label>
      <input id="quiet" class="field" value={now} placeholder={`22:00-07:00 ${Intl.DateTimeFormat().resolvedOptions().timeZone}`} spellcheck={false} autocomplete="off" onInput={(event) => (quiet.value = event.currentTarget.value)} />
      <button class="button" type="submit">{t("Keep")}</button>
      <p class="quiet" role="status">{bell.said.value}</p>
    </form>
  );
}

function Time({ at }: { at: string }) {
  return <time dateTime={at}>{new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>;
}

type Notifications = NonNullable<Bell["wishes"]["value"]>["types"];
