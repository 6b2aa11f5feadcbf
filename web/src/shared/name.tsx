// A name as it is shown everywhere: whoever has no token cannot pass for somebody who has one, nor by letters that look alike.

import { spelled } from "./names.ts";
import "./name.css";
import { t } from "./tongue.ts";

const CHOSEN = "Without a token: whoever writes this has chosen the name";

/** Who wrote something. */
export function Name({ name, signed = true, own = false }: { name: string; signed?: boolean; own?: boolean }) {
  return (
    <>
      <bdi class={signed ? "name" : "name unsigned"}>{spelled(name).text}</bdi>
      {!signed && !own && <small class="guest" title={t(CHOSEN)}>{t("guest")}</small>}
      <Odd name={name} />
    </>
  );
}

/** A user in a list. */
export function User({ name }: { name: string }) {
  return <><bdi>{spelled(name).text}</bdi><Odd name={name} /></>;
}

function Odd({ name }: { name: string }) {
  const { note, why } = spelled(name);
  return note ? <small class="odd" title={why}>{note}</small> : null;
}
