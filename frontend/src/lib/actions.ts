/** What a plan does to a resource: its sign, its word, and how bad it is. */

export type Action = "create" | "change" | "replace" | "replace-new-first" | "destroy" | "read" | "no-op" | "move" | "forget" | "import";
export type ActionTone = "create" | "change" | "replace" | "destroy" | "read";

interface Look {
  sign: string;
  word: string;
  tone: ActionTone;
}

const LOOKS: Record<Action, Look> = {
  create: { sign: "+", word: "create", tone: "create" },
  change: { sign: "~", word: "change", tone: "change" },
  replace: { sign: "−/+", word: "replace", tone: "replace" },
  "replace-new-first": { sign: "+/−", word: "replace", tone: "replace" },
  destroy: { sign: "−", word: "destroy", tone: "destroy" },
  read: { sign: "<=", word: "read", tone: "read" },
  "no-op": { sign: "·", word: "no-op", tone: "read" },
  move: { sign: "→", word: "move", tone: "read" },
  forget: { sign: "×", word: "forget", tone: "read" },
  import: { sign: "↓", word: "import", tone: "create" },
};

/**
 * Whether things themselves change (a plan), or only what a state says of them (a difference between states, a rollback,
 * a migration): there nothing is created or destroyed.
 */
export type Wording = "plan" | "state";

const ADDED: Look = { ...LOOKS.create, word: "add" };
const REMOVED: Look = { ...LOOKS.destroy, word: "remove" };
const STATE_LOOKS: Partial<Record<Action, Look>> = { create: ADDED, import: ADDED, destroy: REMOVED, forget: REMOVED };

export function actionLook(action: Action, wording: Wording = "plan"): Look {
  return (wording === "state" ? STATE_LOOKS[action] : undefined) ?? LOOKS[action];
}

/** Whether something that exists now will be gone. */
export function isDestructive(action: Action): boolean {
  return action === "destroy" || action === "replace" || action === "replace-new-first";
}

/** Reads the action of a planned resource; a replacement says which comes first. */
export function planAction(action: string, order: string | null): Action {
  switch (action) {
    case "create":
    case "read":
    case "move":
    case "forget":
    case "import":
      return action;
    case "update":
      return "change";
    case "delete":
      return "destroy";
    case "replace":
      return order === "create_first" ? "replace-new-first" : "replace";
    default:
      return "no-op";
  }
}

export interface Counts {
  add: number;
  change: number;
  replace: number;
  destroy: number;
  /** What a state takes up or lets go of without a change to the thing itself. */
  import?: number;
  forget?: number;
}

export const NO_COUNTS: Counts = { add: 0, change: 0, replace: 0, destroy: 0 };

interface CountPart {
  key: "add" | "change" | "replace" | "destroy";
  sign: string;
  n: number;
  word: string;
  tone: ActionTone;
}

/** The counts that are not zero, in the order in which they are always said. */
export function countParts(counts: Counts, wording: Wording = "plan"): CountPart[] {
  const all: CountPart[] = [
    { key: "add", sign: "+", n: counts.add + (wording === "state" ? (counts.import ?? 0) : 0), word: actionLook("create", wording).word, tone: "create" },
    { key: "change", sign: "~", n: counts.change, word: "change", tone: "change" },
    { key: "replace", sign: "−/+", n: counts.replace, word: "replace", tone: "replace" },
    { key: "destroy", sign: "−", n: counts.destroy + (wording === "state" ? (counts.forget ?? 0) : 0), word: actionLook("destroy", wording).word, tone: "destroy" },
  ];
  return all.filter((part) => part.n > 0);
}
