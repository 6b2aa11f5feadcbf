// What is set for a channel, and changing it: a form made from the table of settings that the roles have.

import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import { sentence } from "./actions.tsx";
import { CHANNEL_SETTINGS, type Setting } from "./generated.ts";

type Given = string | number | boolean | readonly string[] | null;
type Settings = Readonly<Record<string, Given>>;

/** As a field has it: lists a line each, and nothing for what nobody has set. */
export function written(value: Given | undefined): string {
  if (value === undefined || value === null) return "";
  return Array.isArray(value) ? value.join("\n") : String(value);
}

/** Back again; null takes a setting back to what it was before anybody set it. */
export function read(text: string, { kind }: Setting): Given {
  if (text.trim() === "") return null;
  if (kind === "flag") return text === "true";
  if (kind === "number") return Number(text);
  if (kind === "texts") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  return text.trim();
}

/** Only what differs is sent: two who change different settings do not undo each other. */
export function changed(form: ReadonlyMap<string, string>, before: Settings): Record<string, Given> {
  const rows = Object.entries(CHANNEL_SETTINGS).filter(([name]) => (form.get(name) ?? "").trim() !== written(before[name]));
  return Object.fromEntries(rows.map(([name, setting]) => [name, read(form.get(name) ?? "", setting)]));
}

export function ChannelSettings({ channel, name }: { channel: string; name?: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const before = useSignal<Settings | null>(null);
  const said = useSignal<{ text: string; bad: boolean } | null>(null);
  const path = `/v1/channels/${encodeURIComponent(channel)}`;
  const open = async () => {
    before.value = said.value = null;
    dialog.current?.showModal();
    try {
      before.value = (await ask<{ settings: Settings }>(path)).settings;
    } catch (error) {
      said.value = { text: sentence(error), bad: true };
    }
  };
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = changed(new Map([...form].map(([key, value]) => [key, String(value)])), before.value ?? {});
    if (Object.keys(wanted).length === 0) {
      dialog.current?.close();
      return;
    }
    try {
      await ask(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
      said.value = { text: `${Object.keys(wanted).join(", ")}: it holds within two seconds.`, bad: false };
      dialog.current?.close();
    } catch (error) {
      said.value = { text: sentence(error), bad: true };
    }
  };
  return (
    <>
      <button type="button" class="button plain small" aria-label={name ?? `Settings of ${channel}`} disabled={!CHANNEL.test(channel)} onClick={() => void open()}>Settings…</button>
      {said.value && !said.value.bad && <span class="said" role="status">{said.value.text}</span>}
      <dialog ref={dialog} class="settings" aria-labelledby={title}>
        <p id={title}><strong>Settings of <bdi>{channel}</bdi></strong></p>
        <p class="quiet">An empty field is what holds where nobody has set anything.</p>
        {said.value?.bad && <p class="notice" role="alert">{said.value.text}</p>}
        {!before.value && !said.value && <p class="quiet" aria-busy="true">Looking…</p>}
        {before.value && (
          <form onSubmit={(event) => void save(event)}>
            {Object.entries(CHANNEL_SETTINGS).map(([key, setting]) => <Field key={key} name={key} setting={setting} value={written(before.value?.[key])} />)}
            <p class="dialog-buttons">
              <button class="button plain" type="button" onClick={() => dialog.current?.close()}>Leave it</button>
              <button class="button" type="submit">Save</button>
            </p>
          </form>
        )}
        {!before.value && said.value && <p class="dialog-buttons"><button class="button plain" type="button" onClick={() => dialog.current?.close()}>Close</button></p>}
      </dialog>
    </>
  );
}

function Field({ name, setting, value }: { name: string; setting: Setting; value: string }) {
  const id = useId();
  return (
    <div class="setting">
      <label for={id}>{name}</label>
      <Input id={id} name={name} setting={setting} value={value} />
      <p id={`${id}-says`} class="quiet">{setting.says}{setting.kind === "texts" && " One a line."}</p>
    </div>
  );
}

function Input({ id, name, setting, value }: { id: string; name: string; setting: Setting; value: string }) {
  const common = { id, name, class: "field", "aria-describedby": `${id}-says` };
  if (setting.kind === "flag") {
    return (
      <select {...common}>
        {[["", "not set"], ["true", "yes"], ["false", "no"]].map(([own, word]) => <option key={own} value={own} selected={own === value}>{word}</option>)}
      </select>
    );
  }
  if (setting.kind === "texts") return <textarea {...common} rows={value ? Math.min(6, value.split("\n").length + 1) : 1} defaultValue={value} spellcheck={false} />;
  if (setting.kind === "number") return <input {...common} type="number" min={setting.low} max={setting.high} step={setting.whole ? 1 : "any"} defaultValue={value} />;
  return <input {...common} pattern={setting.pattern?.replace("_-]", "_\\-]")} defaultValue={value} spellcheck={false} autocapitalize="off" />;
}
