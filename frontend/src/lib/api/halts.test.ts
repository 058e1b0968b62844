import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { setTransport } from "@/lib/api/http";
import { FakeSocket, refuseSockets } from "@/testing/fake-streams";
import { dyingRun, haltOf } from "@/testing/fixtures/halts";
import { followHalts, haltsQuery } from "./halts";
import type { Halts } from "./types";

const NONE: Halts = { active: [], ending: [] };
const STANDING: Halts = { active: [haltOf([dyingRun("run-1")])], ending: [] };
let asked: AbortSignal[] = [];
let answer: () => Promise<Response>;
let queryClient: QueryClient;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  asked = [];
  answer = () => Promise.resolve(Response.json(NONE));
  setTransport((_, init) => {
    if (init?.signal) asked.push(init.signal);
    return answer();
  });
  queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const follower = followHalts(queryClient, { openSocket: (url) => new FakeSocket(url) as unknown as WebSocket });
  stop = () => follower.stop();
  follower.start();
});
afterEach(() => {
  stop();
  vi.useRealTimers();
});

const known = () => queryClient.getQueryData(haltsQuery.queryKey);

it("takes the halts from the WebSocket, and asks for nothing meanwhile", async () => {
  await vi.advanceTimersByTimeAsync(0);
  expect(FakeSocket.all[0]?.url).toMatch(/\/terraform\/ws\/halt$/);
  FakeSocket.all[0]?.send({ type: "halts", ...STANDING });
  await vi.advanceTimersByTimeAsync(0);
  expect(known()).toEqual(STANDING);
  for (let seconds = 0; seconds < 60; seconds += 15) {
    await vi.advanceTimersByTimeAsync(15_000);
    FakeSocket.all[0]?.send({ type: "ping" });
  }
  expect(FakeSocket.all).toHaveLength(1);
  expect(asked).toHaveLength(0);
});

it("lets no older answer that is under way come after what the WebSocket said", async () => {
  let release: (response: Response) => void = () => undefined;
  answer = () => new Promise((resolve) => { release = resolve; });
  const old = queryClient.query(haltsQuery).catch(() => undefined);
  await vi.advanceTimersByTimeAsync(0);
  FakeSocket.all[0]?.send({ type: "halts", ...STANDING });
  await vi.advanceTimersByTimeAsync(0);
  release(Response.json(NONE));
  await vi.advanceTimersByTimeAsync(0);
  await old;
  expect(asked[0]?.aborted).toBe(true);
  expect(known()).toEqual(STANDING);
});

it("polls when no WebSocket can be had: every second while a halt stands, else every five", async () => {
  await refuseSockets();
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveLength(3);
  answer = () => Promise.resolve(Response.json(STANDING));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(known()).toEqual(STANDING);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toHaveLength(9);
});

it("goes back to a WebSocket once one can be had again", async () => {
  await refuseSockets();
  await vi.advanceTimersByTimeAsync(31_000);
  expect(FakeSocket.all).toHaveLength(3);
  FakeSocket.all[2]?.send({ type: "halts", ...STANDING });
  await vi.advanceTimersByTimeAsync(0);
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(asked).toHaveLength(before);
});

it("takes a silent WebSocket for a broken one", async () => {
  await vi.advanceTimersByTimeAsync(0);
  FakeSocket.all[0]?.send({ type: "halts", ...NONE });
  await vi.advanceTimersByTimeAsync(21_000);
  expect(FakeSocket.all.length).toBeGreaterThan(1);
});
