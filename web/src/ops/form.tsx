// The form of what is set for a channel, made from the table of settings that the roles have.

import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { t } from "../shared/tongue.ts";
import { sentence } from "./actions.tsx";
import { Asked } from "./card.tsx";
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

interface FormProps {
  readonly channel: string;
  /** Is told what was changed, if anything. */
  readonly onDone: (said: string) => void;
}

export function Form({ channel, onDone }: FormProps) {
  const before = useSignal<Settings | null>(null);
  const problem = useSignal("");
  const path = `/v1/channels/${encodeURIComponent(channel)}`;
  useEffect(() => {
    ask<{ settings: Settings }>(path).then(({ settings }) => (before.value = settings), (error: unknown) => (problem.value = sentence(error)));
  }, []);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = changed(new Map([...form].map(([key, value]) => [key, String(value)])), before.value ?? {});
    const names = Object.keys(wanted).join(", ");
    if (!names) return onDone("");
    try {
      await ask(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
      onDone(t("{names}: it holds within two seconds.", { names }));
    } catch (error) {
      problem.value = sentence(error);
    }
  };
  const leave = (word: string) => <button class="button plain" type="button" onClick={() => onDone("")}>{word}</button>;
  return (
    <>
      <p class="quiet">{t("An empty field is what holds where nobody has set anything.")}</p>
      <Asked problem={problem.value} waits={!before.value} />
      {before.value && (
        <form onSubmit={(event) => void save(event)}>
          {Object.entries(CHANNEL_SETTINGS).map(([key, setting]) => <Field key={key} name={key} setting={setting} value={written(before.value?.[key])} />)}
          <p class="dialog-buttons">{leave(t("Leave it"))} <button class="button" type="submit">{t("Save")}</button></p>
        </form>
      )}
      {!before.value && problem.value && <p class="dialog-buttons">{leave(t("Close"))}</p>}
    </>
  );
}

function Field({ name, setting, value }: { name: string; setting: Setting; value: string }) {
  const id = useId();
  return (
    <div class="setting">
      <label for={id}>{name}</label>
      <Input id={id} name={name} setting={setting} value={value} />
      <p id={`${id}-says`} class="quiet">{t(setting.says)}{setting.kind === "texts" && ` ${t("One a line.")}`}</p>
    </div>
  );
}

function Input({ id, name, setting, value }: { id: string; name: string; setting: Setting; value: string }) {
  const common = { id, name, class: "field", "aria-describedby": `${id}-says` };
  if (setting.kind === "flag") {
    return (
      <select {...common}>
        {[["", t("not set")], ["true", t("yes")], ["false", t("no")]].map(([own, word]) => <option key={own} value={own} selected={own === value}>{word}</option>)}
      </select>
    );
  }
  if (setting.kind === "texts") return <textarea {...common} rows={value ? Math.min(6, value.split("\n").length + 1) : 1} defaultValue={value} spellcheck={false} />;
  if (setting.kind === "number") return <input {...common} type="number" min={setting.low} max={setting.high} step={setting.whole ? 1 : "any"} defaultValue={value} />;
  return <input {...common} pattern={setting.pattern?.replace("_-]", "_\\-]")} defaultValue={value} spellcheck={false} autocapitalize="off" />;
}
