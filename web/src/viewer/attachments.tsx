// Files with messages: those that a line has, and those that the message which is being written will have.

import type { Attachment } from "@touchline/client";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { type Attaching, bytes, isPicture } from "./attaching.ts";
import type { Room } from "./room.ts";
import { t } from "../shared/tongue.ts";

const CLIP = "M20 11.500 12 19.500a5 5 0 0 1-7.100-7.100l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.400 8.400a1.600 1.600 0 0 1-2.300-2.300l7.400-7.400";

/** What goes with a line: pictures are shown, everything else may be taken. */
export function Attached({ room, ids }: { room: Room; ids: readonly string[] }) {
  if (ids.length === 0) return null;
  return <ul class="attached">{ids.map((id) => <li key={id}><One room={room} id={id} /></li>)}</ul>;
}

function One({ room, id }: { room: Room; id: string }) {
  const found = useSignal<Attachment | null>(null);
  const problem = useSignal("");
  const asked = useRef(0);
  // Addresses live for some minutes: one that is used later is asked for anew.
  const look = async (again = false): Promise<Attachment | null> => {
    asked.current += 1;
    try {
      return (found.value = await room.attachment(id, again));
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error);
      return null;
    }
  };
  useEffect(() => void look(), [id]);
  if (problem.value) return <span class="file gone" title={problem.value}>{t("A file that is not there any more")}</span>;
  if (!found.value) return <span class="file" aria-busy="true">…</span>;
  const { name, type, size, url } = found.value;
  const open = async (event: Event) => {
    event.preventDefault();
    const fresh = await look(true);
    if (fresh) window.open(fresh.url, "_blank", "noopener");
  };
  return (
    <a class={isPicture(type) ? "picture" : "file"} href={url} target="_blank" rel="noopener noreferrer" title={`${name}, ${bytes(size)}`} onClick={open}>
      {isPicture(type) ? (
        <img src={url} alt={name} loading="lazy" onError={() => asked.current < 3 && void look(true)} onLoad={() => room.has(id)} />
      ) : (
        <><span class="file-name"><bdi>{name}</bdi></span><span class="file-size">{bytes(size)}</span></>
      )}
    </a>
  );
}

/** The button that asks for files. */
export function AttachButton({ attaching, disabled }: { attaching: Attaching; disabled: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const chosen = () => {
    const { current } = input;
    if (!current?.files) return;
    attaching.add(current.files);
    current.value = "";
  };
  return (
    <>
      <input ref={input} hidden id="attach" type="file" multiple disabled={disabled} onChange={chosen} />
      <button class="button plain attach" type="button" disabled={disabled} title={t("Add files")} onClick={() => input.current?.click()}>
        <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path d={CLIP} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" /></svg>
        <span class="sr-only">{t("Add files")}</span>
      </button>
    </>
  );
}

/** Those that the message will have, with how far each is. */
export function PendingFiles({ attaching }: { attaching: Attaching }) {
  const { files, problem } = attaching;
  if (files.value.length === 0 && !problem.value) return null;
  return (
    <div class="pending">
      <ul>
        {files.value.map(({ key, name, size, sent, preview, id, problem: why }) => (
          <li key={key} class={why ? "failed" : ""}>
            {preview && <img src={preview} alt="" />}
            <span class="file-name"><bdi>{name}</bdi></span>
            {why ? <span class="problem" role="alert">{why}</span> : id ? <span class="file-size">{bytes(size)}</span> : (
              <progress max={Math.max(1, size)} value={sent} aria-label={t("Uploading {name}", { name })} />
            )}
            <button type="button" aria-label={t("Remove {name}", { name })} onClick={() => attaching.remove(key)}>×</button>
          </li>
        ))}
      </ul>
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
    </div>
  );
}

/** What is pasted or dropped and is a file. */
export function filesOf(transfer: DataTransfer | null): File[] {
  return transfer ? [...transfer.files] : [];
}
