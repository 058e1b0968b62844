import { heard, setLive } from "@/lib/live";

/** A problem document (RFC 9457) as it left the API, or what stands for it when no answer came. */
interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: { field: string; message: string }[] | null;
  [member: string]: unknown;
}

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }

  /** What is wrong with one field of the request, when the API named it. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((each) => each.field === name || each.field.endsWith(`.${name}`))?.message;
  }
}

/** What to tell a person about a failure of any kind. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return "The page could not read the answer. Reload it; nothing was changed by this.";
}

const signedOut = new Set<() => void>();

/** Calls back when the API no longer knows the session. */
export function onSignedOut(tell: () => void): () => void {
  signedOut.add(tell);
  return () => signedOut.delete(tell);
}

type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

interface RequestOptions {
  query?: Query | undefined;
  body?: unknown;
  /** Sent as it is in the place of a body that is written as JSON: a file keeps every byte. */
  raw?: Blob | undefined;
  /** What the raw body is; JSON unless it is said. */
  rawType?: string;
  /** For requests that create a run: the same key gives the first answer again. */
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

export function queryString(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    if (Array.isArray(value)) value.forEach((each: string) => params.append(name, each));
    else params.append(name, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

async function readProblem(response: Response): Promise<Problem> {
  const fallback: Problem = {
    type: "about:blank",
    title: response.statusText || "Request failed",
    status: response.status,
    detail: `The API answered ${response.status} without saying why. Nothing more is known; see its log.`,
    code: "http_error",
  };
  if (!response.headers.get("content-type")?.includes("json")) return fallback;
  try {
    return { ...fallback, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return fallback;
  }
}

/** The fetch that every request goes through; mock mode and tests put another in its place. */
let transport: typeof fetch = (input, init) => fetch(input, init);

export function setTransport(next: typeof fetch): void {
  transport = next;
}

export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Sluice-CSRF"] = "1";
  if (options.body !== undefined || options.raw) headers["Content-Type"] = options.rawType ?? "application/json";
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  let response: Response;
  try {
    response = await transport(path + queryString(options.query), {
      method,
      headers,
      credentials: "same-origin",
      ...(options.raw ? { body: options.raw } : options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    setLive({ state: "offline" });
    throw new ApiError({
      type: "about:blank",
      title: "No answer",
      status: 0,
      detail: "Sluice can't be reached. What is shown is the last that was known; the page tries again by itself.",
      code: "unreachable",
    });
  }
  heard();
  if (!response.ok) {
    const problem = await readProblem(response);
    if (response.status === 401 && !path.startsWith("/auth/")) signedOut.forEach((tell) => tell());
    throw new ApiError(problem);
  }
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export const http = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>("GET", path, { query, signal }),
  post: <T>(path: string, body?: unknown, idempotencyKey?: string) => request<T>("POST", path, { body, idempotencyKey }),
  upload: <T>(path: string, raw: Blob, idempotencyKey: string) => request<T>("POST", path, { raw, idempotencyKey }),
  put: <T>(path: string, body?: unknown) => request<T>("PUT", path, { body }),
  patch: <T>(path: string, body?: unknown) => request<T>("PATCH", path, { body }),
  delete: <T>(path: string) => request<T>("DELETE", path),
};

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
