import { afterEach, expect, it, vi } from "vitest";
import { ApiError, http, onSignedOut, queryString, setTransport } from "./http";

afterEach(() => setTransport((input, init) => fetch(input, init)));

const answer = (status: number, body: unknown) => vi.fn<typeof fetch>(() => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json" } })));

it("a problem document becomes an error with its code and fields", async () => {
  setTransport(answer(422, { type: "urn:sluice:error:invalid", title: "The request is not valid", status: 422, code: "invalid", detail: "name: too long", errors: [{ field: "body.name", message: "too long" }] }));
  const error = await http.post("/terraform/workspaces", {}).catch((each: unknown) => each);
  expect(error).toBeInstanceOf(ApiError);
  expect([(error as ApiError).code, (error as ApiError).field("name"), (error as ApiError).message]).toEqual(["invalid", "too long", "name: too long"]);
});

it("changes carry the CSRF header and the key that makes a retry the same request", async () => {
  const transport = answer(201, {});
  setTransport(transport);
  await http.post("/terraform/runs", { a: 1 }, "key-1");
  await http.get("/terraform/runs");
  const [post, get] = transport.mock.calls.map(([, init]) => init?.headers as Record<string, string>);
  expect(post).toMatchObject({ "X-Sluice-CSRF": "1", "Idempotency-Key": "key-1" });
  expect(get).not.toHaveProperty("X-Sluice-CSRF");
});

it("401 tells that the session ended, but not while logging in", async () => {
  setTransport(answer(401, { code: "unauthenticated", detail: "Sign in." }));
  const told = vi.fn();
  const stop = onSignedOut(told);
  await http.post("/auth/login", {}).catch(() => null);
  expect(told).not.toHaveBeenCalled();
  await http.get("/terraform/inbox").catch(() => null);
  expect(told).toHaveBeenCalledOnce();
  stop();
});

it("silence is said to be silence", async () => {
  setTransport(() => Promise.reject(new TypeError("failed to fetch")));
  const error = await http.get("/terraform/inbox").catch((each: unknown) => each);
  expect((error as ApiError).code).toBe("unreachable");
});

it("query strings leave out what is not set and repeat lists", () => {
  expect(queryString({ a: 1, b: null, c: undefined, d: "", e: ["x", "y"], f: false })).toBe("?a=1&e=x&e=y&f=false");
});
