import type { Inbox, PlanView, Run, WorkspaceRow } from "@/lib/api/types";
import { notificationRoutes } from "./fixtures/notifications";
import { me, NOW } from "./fixtures/people";
import { demoPlan, ledgerPlan } from "./fixtures/plan";
import { applyLog, planLog } from "./fixtures/progress";
import { APPLY_CHILD, APPLYING, DEMO, inboxItems, LEDGER, runs } from "./fixtures/runs";
import { rest } from "./fixtures/rest";
import { stateRoutes } from "./fixtures/state";
import { workspaceRows } from "./fixtures/workspaces";

type Handler = (match: RegExpExecArray, query: URLSearchParams, body: unknown) => unknown;

const plans: Record<string, PlanView> = { [DEMO]: demoPlan };
function mockInbox(): Inbox {
  const groups = Object.entries(inboxItems).map(([name, items]) => ({
    name: name as keyof typeof inboxItems,
    count: items.length,
    items: items.map((run) => ({ run, lock: null, resources: 0, for_you: true, why: run.status_reason ?? (run.requested_by.kind === "agent" ? `requested by agent ${run.requested_by.name}, which can't approve` : `requested by ${run.requested_by.name}`), since: run.created_at })),
  }));
  const total = groups.reduce((sum, group) => sum + group.count, 0);
  return { groups, for_you: total, total: total + 3, in_progress: 2 };
}

const page = <T>(items: T[]) => ({ items, next_cursor: null });

function progressOf(id: string, after: number) {
  const records = (id === APPLY_CHILD ? applyLog() : planLog()).filter((record) => record.offset >= after);
  return { records, next: after + records.length, closed: id !== APPLY_CHILD };
}

function approveRun(run: Run): Run {
  const detail = run.approvals_detail;
  if (!detail) return run;
  const have = detail.have + 1;
  return {
    ...run,
    approvals_detail: { ...detail, have, decisions: [...detail.decisions, { id: "ap-new", decision: "approve", actor: { id: me.id, kind: "person", name: me.name }, fingerprint: "sha256:7be1", comment: "", created_at: new Date(NOW).toISOString(), voided_at: null, void_reason: null }], you: { ...detail.you, decision: "approve" } },
    ...(have >= detail.need ? { status: "approved", allowed_actions: [] } : {}),
  };
}

function findWorkspace(id: string): WorkspaceRow | undefined {
  return workspaceRows.find((row) => row.id === id || row.name === id);
}

const routes: [string, RegExp, Handler][] = [
  ["GET", /^\/auth\/me$/, () => me],
  ["GET", /^\/terraform\/version$/, () => ({ version: "0.9.2", engine: { kind: "tofu", version: "1.12.6" }, policy_engine: "opa 1.8" })],
  ["GET", /^\/terraform\/inbox$/, () => mockInbox()],
  ["GET", /^\/terraform\/halt$/, () => ({ active: [] })],
  ["GET", /^\/terraform\/runs$/, (_, query) => page(Object.values(runs).filter((run) => !query.get("workspace") || run.workspace.id === query.get("workspace")))],
  ["GET", /^\/terraform\/runs\/([^/]+)$/, ([, id = ""]) => runs[id]],
  ["GET", /^\/terraform\/runs\/([^/]+)\/plan$/, ([, id = ""]) => plans[id] ?? (id === LEDGER || id === APPLYING || runs[id] ? ledgerPlan : undefined)],
  ["GET", /^\/terraform\/runs\/([^/]+)\/progress$/, ([, id = ""], query) => progressOf(id, Number(query.get("after") ?? 0))],
  ["POST", /^\/terraform\/runs\/([^/]+)\/approve$/, ([, id = ""]) => {
    const run = runs[id];
    return run ? (runs[id] = approveRun(run)) : undefined;
  }],
  ["GET", /^\/terraform\/workspaces$/, (_, query) => {
    const needle = query.get("search")?.toLowerCase() ?? "";
    return page(workspaceRows.filter((row) => row.name.includes(needle) && (!query.get("status") || row.latest_run?.status === query.get("status")) && (!query.get("tag") || row.tags.includes(query.get("tag") ?? "")) && (!query.get("stack_id") || row.stack.id === query.get("stack_id"))));
  }],
  ["GET", /^\/terraform\/workspaces\/([^/]+)$/, ([, id = ""]) => findWorkspace(id)],
  ...stateRoutes,
  ...notificationRoutes,
  ...rest,
];

/** Answers like the API, from fixtures; what has no fixture is a 404 problem, as it would be there. */
export const mockFetch: typeof fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : String(input), "http://mock.invalid");
  const method = init?.method ?? "GET";
  for (const [verb, pattern, handler] of routes) {
    const match = verb === method ? pattern.exec(url.pathname) : null;
    if (!match) continue;
    const body: unknown = typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
    const answer = handler(match, url.searchParams, body);
    // Null is an answer of its own: nobody holds the lock.
    if (answer !== undefined) return Promise.resolve(Response.json(answer));
  }
  const problem = { type: "urn:sluice:error:not_found", title: "Not found", status: 404, detail: `There is no fixture for ${method} ${url.pathname}.`, code: "not_found" };
  return Promise.resolve(new Response(JSON.stringify(problem), { status: 404, headers: { "content-type": "application/problem+json" } }));
};
