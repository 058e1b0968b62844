import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { describe, expect, it, vi } from "vitest";
import { type KeyMap, keyName, setSingleKeys, useChords, useKeys } from "./keys";

function Page({ map, children }: { map: KeyMap; children?: ReactNode }) {
  useKeys(map);
  useChords();
  return <div>{children}</div>;
}

describe("keyName", () => {
  const event = (key: string, over = {}) => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...over });

  it("names keys as bindings do", () => {
    expect(keyName(event("k", { metaKey: true }))).toBe("mod+k");
    expect(keyName(event("N", { shiftKey: true }))).toBe("shift+n");
    expect(keyName(event("?", { shiftKey: true }))).toBe("?");
    expect(keyName(event(" "))).toBe("space");
  });
});

describe("useKeys", () => {
  it("acts on a key, but not while a person types", async () => {
    const act = vi.fn();
    const { getByRole } = render(<Page map={{ j: act }}><input /></Page>);
    await userEvent.keyboard("j");
    expect(act).toHaveBeenCalledOnce();
    await userEvent.type(getByRole("textbox"), "j");
    expect(act).toHaveBeenCalledOnce();
  });

  it("leaves Enter to the control in focus", async () => {
    const page = vi.fn();
    const press = vi.fn();
    const { getByRole } = render(<Page map={{ enter: page }}><button type="button" onClick={press}>go</button></Page>);
    getByRole("button").focus();
    await userEvent.keyboard("{Enter}");
    expect([press.mock.calls.length, page.mock.calls.length]).toEqual([1, 0]);
  });

  it("is silent under a dialog", async () => {
    const act = vi.fn();
    render(<Page map={{ j: act }}><div role="dialog" /></Page>);
    await userEvent.keyboard("j");
    expect(act).not.toHaveBeenCalled();
  });

  it("knows two keys in a row, and takes neither alone", async () => {
    const go = vi.fn();
    const alone = vi.fn();
    render(<Page map={{ "g i": go, i: alone }} />);
    await userEvent.keyboard("gi");
    expect([go.mock.calls.length, alone.mock.calls.length]).toEqual([1, 0]);
  });

  it("can be switched off, all but ⌘", async () => {
    const single = vi.fn();
    const palette = vi.fn();
    setSingleKeys(false);
    render(<Page map={{ j: single, "mod+k": palette }} />);
    await userEvent.keyboard("j{Control>}k{/Control}");
    expect([single.mock.calls.length, palette.mock.calls.length]).toEqual([0, 1]);
  });
});
