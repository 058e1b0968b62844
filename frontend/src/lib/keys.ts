import { useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";

/** A key, as it is named in a binding: `j`, `shift+n`, `mod+k`, `enter`, `g i` (two in a row). */
export type KeyMap = Record<string, ((event: KeyboardEvent) => void) | undefined>;

const SWITCH = "sluice.single-keys";
const listeners = new Set<() => void>();

function singleKeysOn(): boolean {
  return localStorage.getItem(SWITCH) !== "off";
}

export function setSingleKeys(on: boolean): void {
  if (on) localStorage.removeItem(SWITCH);
  else localStorage.setItem(SWITCH, "off");
  listeners.forEach((tell) => tell());
}

export function useSingleKeys(): boolean {
  return useSyncExternalStore((tell) => {
    listeners.add(tell);
    return () => listeners.delete(tell);
  }, singleKeysOn);
}

/** Names the key of an event the way bindings do. */
export function keyName(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">): string {
  const base = event.key === " " ? "space" : event.key.toLowerCase();
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("mod");
  if (event.altKey) parts.push("alt");
  // “?” and “/” already carry their shift.
  if (event.shiftKey && (/^[a-z]$/.test(base) || base.length > 1)) parts.push("shift");
  return [...parts, base].join("+");
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !isToggle(target);
}

function isToggle(target: HTMLElement): boolean {
  return target instanceof HTMLInputElement && (target.type === "checkbox" || target.type === "radio");
}

/** Enter and Space belong to the control in focus before they belong to the page. */
function belongsToControl(name: string, target: EventTarget | null): boolean {
  if (name !== "enter" && name !== "space") return false;
  return target instanceof HTMLElement && target.closest("button, a, input, summary, [role=tab], [role=menuitem]") !== null;
}

let pending: string | null = null;
let pendingAt = 0;

/**
 * Binds keys for as long as the component stands. Nothing fires while a person types or a dialog is open, and single
 * keys are silent when the person has switched them off; `mod+` bindings always work.
 */
export function useKeys(map: KeyMap, enabled = true): void {
  const latest = useRef(map);
  // Before the next event: a passive effect may come after it, and a quick second key would act on what was before.
  useLayoutEffect(() => {
    latest.current = map;
  });
  useEffect(() => {
    if (!enabled) return;
    const on = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const name = keyName(event);
      const chord = pending && Date.now() - pendingAt < 900 ? `${pending} ${name}` : null;
      const act = (chord ? latest.current[chord] : undefined) ?? (chord?.startsWith("g ") ? undefined : latest.current[name]);
      const always = name.startsWith("mod+");
      if (!always) {
        if (!singleKeysOn() && name !== "escape") return;
        if (isTyping(event.target) || document.querySelector("[role=dialog], [role=menu], [role=listbox]")) return;
        if (belongsToControl(name, event.target)) return;
      }
      if (!act) return;
      event.preventDefault();
      act(event);
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, [enabled]);
}

/** Remembers `g`, so that `g i` and its like can be bound; mounted once by the shell. */
export function useChords(): void {
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      const name = keyName(event);
      const starts = name === "g" && !isTyping(event.target);
      // After the other listeners of this event have read it.
      queueMicrotask(() => {
        pending = starts ? "g" : null;
        pendingAt = Date.now();
      });
    };
    window.addEventListener("keydown", on);
    return () => window.removeEventListener("keydown", on);
  }, []);
}
