import { act, render, screen } from "@testing-library/react";
import { useEffect } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { freezeClock, useNow } from "./clock";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  freezeClock(null);
  vi.useRealTimers();
});

let renders = 0;

function Clock({ every }: { every: number }) {
  const value = useNow(every);
  useEffect(() => {
    renders += 1;
  });
  return <p>{value}</p>;
}

it("a moving clock renders at its ticks, and not because it was looked at", () => {
  renders = 0;
  // The present moves between any two looks at it, as it does on a busy machine.
  let present = 1_000_000;
  const looks = vi.spyOn(Date, "now").mockImplementation(() => (present += 7));
  render(<><Clock every={1234} /><Clock every={1234} /></>);
  const first = renders;
  expect(first).toBeLessThanOrEqual(4);
  looks.mockRestore();
  act(() => void vi.advanceTimersByTime(1234));
  expect(renders).toBe(first + 2);
  expect(new Set(screen.getAllByText(/^\d+$/).map((each) => each.textContent)).size).toBe(1);
});

it("a frozen clock stands still", () => {
  freezeClock(42);
  render(<Clock every={77} />);
  act(() => void vi.advanceTimersByTime(500));
  expect(screen.getByText("42")).toBeTruthy();
});
