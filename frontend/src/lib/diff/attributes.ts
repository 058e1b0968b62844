import { diffJson, type Json, type JsonDiff, parseJsonText } from "./json";

/** One attribute of the plan view, as the API gives it: sensitive sides carry no value. */
export interface PlanAttribute {
  path: string;
  action: string;
  before?: unknown;
  after?: unknown;
  before_sensitive?: boolean;
  after_sensitive?: boolean;
  after_unknown?: boolean;
  forces_replacement?: boolean;
}

/** One side of an attribute, as it may be shown. */
export type Side = { kind: "none" } | { kind: "value"; text: string } | { kind: "unknown" } | { kind: "sensitive" };

export interface AttributeLine {
  path: string;
  kind: "add" | "remove" | "change" | "same";
  before: Side;
  after: Side;
  forces: boolean;
  sensitive: boolean;
  /** Set when both sides are texts that hold JSON, or values with a shape. */
  json: JsonDiff | null;
}

const SHORT = 96;

function literal(value: unknown): string {
  return value === undefined ? "null" : JSON.stringify(value);
}

function side(value: unknown, unknown: boolean, hidden: boolean, absent: boolean): Side {
  if (hidden && !absent) return { kind: "sensitive" };
  if (unknown) return { kind: "unknown" };
  if (value === null || value === undefined) return { kind: "none" };
  return { kind: "value", text: literal(value) };
}

function shaped(value: unknown): Json | null {
  if (typeof value === "object" && value !== null && literal(value).length > SHORT) return value as Json;
  return parseJsonText(value);
}

/**
 * How one attribute is shown. A sensitive side shows no value, whatever came with it; long structured values and texts
 * that hold JSON are compared by value.
 */
export function attributeLine(attribute: PlanAttribute): AttributeLine {
  const { before, after } = attribute;
  const sensitive = (attribute.before_sensitive ?? false) || (attribute.after_sensitive ?? false);
  const creates = attribute.action === "create";
  const deletes = attribute.action === "delete";
  const one = side(before, false, sensitive, creates);
  const two = side(after, attribute.after_unknown ?? false, sensitive && !(attribute.after_unknown ?? false), deletes);
  let json: JsonDiff | null = null;
  if (!sensitive && one.kind === "value" && two.kind === "value") {
    const was = shaped(before);
    const will = shaped(after);
    if (was !== null && will !== null) json = diffJson(was, will);
  }
  const kind = attribute.action === "no-op" ? "same" : creates ? "add" : deletes ? "remove" : "change";
  return { path: attribute.path, kind, before: one, after: two, forces: attribute.forces_replacement ?? false, sensitive, json };
}

/** Lines in reading order: what forces comes first, then what is known, then what is known only later. */
export function attributeLines(attributes: readonly PlanAttribute[]): AttributeLine[] {
  const rank = (line: AttributeLine) => (line.forces ? 0 : line.after.kind === "unknown" ? 2 : 1);
  return attributes.map(attributeLine).map((line, i) => ({ line, i })).sort((a, b) => rank(a.line) - rank(b.line) || a.i - b.i).map((each) => each.line);
}

/** A one-line account of a short change: `backup_retention_period 7 → 14`; null when it takes more room. */
export function shortChange(lines: readonly AttributeLine[]): { path: string; before: string; after: string }[] | null {
  const out: { path: string; before: string; after: string }[] = [];
  for (const line of lines) {
    if (line.kind !== "change" || line.sensitive || line.json || line.before.kind !== "value" || line.after.kind !== "value") return null;
    out.push({ path: line.path, before: line.before.text, after: line.after.text });
  }
  const length = out.reduce((sum, each) => sum + each.path.length + each.before.length + each.after.length + 6, 0);
  return out.length > 0 && out.length <= 3 && length <= 110 ? out : null;
}

