// What pages say, read from their sources: sentences that are asked for in the reader's language, and texts that are not.

import { readdirSync, readFileSync } from "node:fs";
import { parseSync } from "vite";

/** Attributes that are read. */
const READ = new Set(["aria-label", "placeholder", "title", "alt", "label"]);
/** A text has two letters one after the other; marks, units and numbers are alike everywhere. */
const TEXT = /\p{L}{2}/u;
/** As sentences and headings begin, and go on. */
const SENTENCE = /^[“↪]?\s?\p{Lu}[^\n]* \p{L}|^\p{Lu}\p{Ll}+.*[.…?]$/u;
/** As labels in tables do. */
const LABEL = /^\p{Lu}\p{Ll}+$|^[\p{L}\d{}][\p{L}\d{}’',;.]* [\p{L}\d{}’',;. ]+$/u;
/** Alike in every language: the house's name, what is typed as it stands, and what is posted, which others read. */
const ALIKE = new Set(["Touchline", "its-name", "data.minute", "Tab", "ms", "goal OR penalty", "For {}."]);
/** Their tables are no labels: drawings, names of scripts and languages, words that are looked for. */
const OTHER_TABLES = new Set(["shared/kit.tsx", "shared/names.ts", "shared/tongue.ts", "viewer/match.ts"]);

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

export interface Found {
  /** Asked for, by themselves. */
  readonly sentences: Set<string>;
  /** Asked for by number. */
  readonly counted: Set<string>;
  /** Shown as they stand, or sentences that functions make, with the place. */
  readonly bare: string[];
  /** Sentences and labels of tables, of which each is asked for when it is shown. */
  readonly kept: Map<string, string>;
}

export function wordsOf(file: string, source: string): Found {
  const found: Found = { sentences: new Set(), counted: new Set(), bare: [], kept: new Map() };
  const at = (node: Node) => `${file}:${source.slice(0, node.start).split("\n").length}`;
  const text = (value: unknown): value is string => typeof value === "string" && TEXT.test(value);
  const quasis = (node: Node) => (node["quasis"] as { value: { cooked: string } }[]).map(({ value }) => value.cooked).join("{}");

  /** `shown`: it stands where its value is read. */
  let within = 0; // functions: what stands in none is a table
  const look = (node: Node, shown: boolean): void => {
    const function_ = /Function/.test(node.type) || node.type === "ClassDeclaration";
    within += function_ ? 1 : 0;
    see(node, shown);
    within -= function_ ? 1 : 0;
  };
  const see = (node: Node, shown: boolean): void => {
    const inner = (value: unknown, read = shown): void => {
      if (Array.isArray(value)) for (const one of value) inner(one, read);
      else if (value !== null && typeof value === "object" && "type" in value) look(value as Node, read);
    };
    const rest = (...fields: string[]) => { for (const [name, value] of Object.entries(node)) if (!fields.includes(name)) inner(value, false); };
    switch (node.type) {
      case "ImportDeclaration":
        return;
      case "CallExpression": {
        const callee = (node["callee"] as Node)["name"];
        const given = node["arguments"] as Node[];
        if (callee === "t" || callee === "many") {
          const literals = given.filter(({ type }) => type === "Literal").map(({ value }) => value).filter((value): value is string => typeof value === "string");
          if (callee === "t") for (const sentence of literals.slice(0, 1)) found.sentences.add(sentence);
          else if (literals[1] !== undefined) found.counted.add(literals[1]);
          return inner(given.filter(({ type }) => type !== "Literal"), false);
        }
        return rest();
      }
      case "JSXText":
        if (shown && text(node["value"]) && !ALIKE.has(node["value"].trim())) found.bare.push(`${at(node)} ${node["value"].trim()}`);
        return;
      case "JSXAttribute": {
        const read = READ.has(String((node["name"] as Node)["name"]));
        return inner(node["value"], read);
      }
      case "JSXElement": {
        const tag = String(((node["openingElement"] as Node)["name"] as Node)["name"]);
        inner((node["openingElement"] as Node)["attributes"], false);
        return inner(node["children"], !["code", "kbd"].includes(tag));
      }
      case "JSXExpressionContainer": case "LogicalExpression": case "ParenthesizedExpression":
        return inner(node["expression"] ?? [node["left"], node["right"]]);
      case "ConditionalExpression":
        inner(node["test"], false);
        return inner([node["consequent"], node["alternate"]]);
      case "TemplateLiteral":
        if (ALIKE.has(quasis(node))) return;
        if ((shown && text(quasis(node))) || SENTENCE.test(quasis(node))) found.bare.push(`${at(node)} ${quasis(node)}`);
        return inner(node["expressions"], false);
      case "Literal":
        if (!text(node["value"]) || ALIKE.has(node["value"])) return;
        if (shown) found.bare.push(`${at(node)} ${node["value"]}`);
        else if (within > 0) {
          if (SENTENCE.test(node["value"])) found.bare.push(`${at(node)} ${node["value"]}`);
        }
        else if (SENTENCE.test(node["value"]) || (LABEL.test(node["value"]) && !OTHER_TABLES.has(file))) found.kept.set(node["value"], at(node));
        return;
      default:
        rest();
    }
  };
  look(parseSync(file, source).program as unknown as Node, false);
  return found;
}

/** All of the pages. What is made of the code is names; of what may be set for channels operators read what it is for. */
export function pages(): ReadonlyMap<string, Found> {
  const root = new URL("../src/", import.meta.url);
  const names = readdirSync(root, { recursive: true, encoding: "utf-8" }).filter((name) => /\.tsx?$/.test(name) && (name === "ops/generated.ts" || !name.includes("generated")));
  return new Map(names.map((name) => [name, wordsOf(name, readFileSync(new URL(name, root), "utf-8"))]));
}
