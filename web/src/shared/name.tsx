// A name as it is shown everywhere: whoever has no token cannot pass for somebody who has one, nor by letters that look alike.

import { spelled } from "./names.ts";
import "./name.css";

const CHOSEN = "Without a token: whoever writes this has chosen the name";

export function Name({ name, signed = true, own = false }: { name: string; signed?: boolean; own?: boolean }) {
  const { text, note, why } = spelled(name);
  return (
    <>
      <bdi class={signed ? "name" : "name unsigned"}>{text}</bdi>
      {!signed && !own && <small class="guest" title={CHOSEN}>guest</small>}
      {note && <small class="odd" title={why}>{note}</small>}
    </>
  );
}
