/** What the engine says of one resource while it applies. */
export interface ApplyEvent {
  at: string;
  type: "start" | "progress" | "complete" | "errored";
  address: string;
  action: string;
  elapsed: number | null;
  id: string | null;
}

const TYPES: Record<string, ApplyEvent["type"]> = {
  apply_start: "start",
  apply_progress: "progress",
  apply_complete: "complete",
  apply_errored: "errored",
};

type Bag = Record<string, unknown>;

const bag = (value: unknown): Bag => (typeof value === "object" && value !== null ? (value as Bag) : {});
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Reads an apply event, flat or as the engine's own `hook`; anything else is null. */
export function readEvent(at: string, data: Bag): ApplyEvent | null {
  const type = TYPES[text(data.type) ?? text(data.event) ?? ""];
  if (!type) return null;
  const hook = { ...data, ...bag(data.hook) };
  const resource = bag(hook.resource);
  const address = text(resource.addr) ?? text(resource.address) ?? text(hook.address) ?? text(hook.addr) ?? text(hook.resource);
  if (!address) return null;
  const elapsed = hook.elapsed_seconds;
  return { at, type, address, action: text(hook.action) ?? "", elapsed: typeof elapsed === "number" ? elapsed : null, id: text(hook.id_value) ?? text(hook.id) };
}
