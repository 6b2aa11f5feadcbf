// Above a room's chat: who is in it and who of them is here, and the rooms that one is in, with what is unread.

import { User } from "../shared/name.tsx";
import type { Room } from "./room.ts";
import { t } from "../shared/tongue.ts";

export function RoomHead({ room, onChannel }: { room: Room; onChannel: (channel: string) => void }) {
  const { people, together } = room;
  const known = people.room.value;
  const rows = together.rows.value;
  if (!known && rows.length === 0) return null;
  const here = together.here.value;
  const there = known?.members.filter(({ user }) => here.has(user)).length ?? 0;
  return (
    <div class="room-head">
      {known && (
        <details class="members">
          <summary>{known.name} · {known.members.length === 1 ? t("1 member") : t("{n} members", { n: known.members.length })}{there > 0 && t(", {n} here", { n: there })}</summary>
          <ul>
            {known.members.map(({ user, role }) => (
              <li key={user} class={here.has(user) ? "here" : ""}><User name={user} />{role !== "member" && <small> {role}</small>}{here.has(user) && <small> {t("here")}</small>}</li>
            ))}
          </ul>
        </details>
      )}
      {rows.length > 0 && (
        <details class="my-rooms">
          <summary>{t("My rooms")}<Unread number={together.unread.value} /></summary>
          <ul>
            {rows.map(({ room: id, name, members, unread, mentions }) => (
              <li key={id} data-room={id}>
                <button type="button" aria-current={room.channel === `room-${id}`} onClick={() => onChannel(`room-${id}`)}>
                  <bdi>{name}</bdi> <small>{members}</small><Unread number={unread} mentions={mentions} />
                </button>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Unread({ number, mentions = 0 }: { number: number; mentions?: number }) {
  if (number === 0) return null;
  return <span class={mentions > 0 ? "unread mentioned" : "unread"}>{mentions > 0 && "@"}{number > 999 ? "999+" : number}<span class="sr-only"> {t("unread")}</span></span>;
}
