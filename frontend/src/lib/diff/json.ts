import { type DiffLine, diffLines } from "./lines";

export type Json = string | number | boolean | null | Json[] | JsonObject;

// An alias of Record can't name itself.
interface JsonObject {
  [key: string]: Json;
}

export interface JsonDiff {
  lines: DiffLine[];
  added: number;
  removed: number;
}

/** Parses a text that holds a JSON object or array; anything else is null, since plain strings need no tree. */
export function parseJsonText(value: unknown): Json | null {
  if (typeof value !== "string") return null;
  const text = value.trim();
  if (!/^[[{]/.test(text)) return null;
  try {
    const parsed = JSON.parse(text) as Json;
    return typeof parsed === "object" ? parsed : null;
  } catch {
    return null;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function sameValue(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => sameValue(each, b[i]));
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && sameValue(a[key], b[key]));
  }
  return false;
}

/** Gives the keys of `value` the order that they have in `model`, so that moved keys make no difference. */
function inOrderOf(model: Json | undefined, value: Json): Json {
  if (Array.isArray(value)) return value.map((each, i) => inOrderOf(Array.isArray(model) ? model[i] : undefined, each));
  if (!isObject(value)) return value;
  const keys = Object.keys(value);
  const first = isObject(model) ? Object.keys(model).filter((key) => key in value) : [];
  const known = new Set(first);
  const out: JsonObject = {};
  for (const key of [...first, ...keys.filter((each) => !known.has(each))]) {
    const item = value[key];
    if (item !== undefined) out[key] = inOrderOf(isObject(model) ? model[key] : undefined, item);
  }
  return out;
}

const bare = (line: string) => line.replace(/,$/, "");

/** Compares two JSON values by value: order of keys, white space and trailing commas make no difference. */
export function diffJson(before: Json, after: Json): JsonDiff {
  const a = JSON.stringify(before, null, 2).split("\n");
  const b = JSON.stringify(inOrderOf(before, after), null, 2).split("\n");
  const lines = diffLines(a, b, (x, y) => bare(x) === bare(y));
  return {
    lines,
    added: lines.filter((line) => line.kind === "add").length,
    removed: lines.filter((line) => line.kind === "remove").length,
  };
}
