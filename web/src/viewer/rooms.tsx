// Above a room's chat: who is in it, and the rooms that one is in. Unread counts have their place in each row.

import type { Room } from "./room.ts";

export function RoomHead({ room, onChannel }: { room: Room; onChannel: (channel: string) => void }) {
  const { people } = room;
  const known = people.room.value;
  const rooms = people.rooms.value;
  if (!known && rooms.length === 0) return null;
  return (
    <div class="room-head">
      {known && (
        <details class="members">
          <summary>{known.name} · {known.members.length === 1 ? "1 member" : `${known.members.length} members`}</summary>
          <ul>{known.members.map(({ user, role }) => <li key={user}><bdi>{user}</bdi>{role !== "member" && <small> {role}</small>}</li>)}</ul>
        </details>
      )}
      {rooms.length > 0 && (
        <details class="my-rooms">
          <summary>My rooms</summary>
          <ul>
            {rooms.map(({ room: id, name, members }) => (
              <li key={id}><button type="button" aria-current={room.channel === `room-${id}`} onClick={() => onChannel(`room-${id}`)}><bdi>{name}</bdi> <small>{members}</small></button></li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
