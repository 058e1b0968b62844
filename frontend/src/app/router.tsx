import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { ApiError } from "@/lib/api/http";
import { meQuery } from "@/lib/api/session";
import { LoadFailed, NotFound, PagePending } from "./fallbacks";
import { Shell } from "./shell/shell";

interface Context {
  queryClient: QueryClient;
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
  interface StaticDataRouteOption {
    /** The page needs the width: the navigation folds to its icons. */
    foldNav?: boolean;
  }
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value ? value : undefined);
const positive = (value: unknown): number | undefined => (typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined);
/** Keeps an address clean: what is not set is not written. */
function only<T extends Record<string, unknown>>(search: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound, errorComponent: LoadFailed });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search) => only({ next: text(search.next), link: text(search.link) }),
  component: lazyRouteComponent(() => import("@/routes/login"), "LoginPage"),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.query({ ...meQuery, staleTime: "static" });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw redirect({ to: "/login", search: location.pathname === "/" ? {} : { next: location.href } });
      throw error;
    }
  },
  component: Shell,
});

const inbox = createRoute({ getParentRoute: () => shell, path: "/", validateSearch: (search) => only({ view: text(search.view) }), component: lazyRouteComponent(() => import("@/routes/inbox"), "InboxPage") });

const infra = createRoute({ getParentRoute: () => shell, path: "/infra", validateSearch: (search) => only({ tab: text(search.tab), window: text(search.window) }), component: lazyRouteComponent(() => import("@/routes/infra"), "InfraPage") });

const workspaces = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform",
  validateSearch: (search) => only({ q: text(search.q), status: text(search.status), tag: text(search.tag), stack: text(search.stack), create: search.create === true ? true : undefined }),
  component: lazyRouteComponent(() => import("@/routes/workspaces"), "WorkspacesPage"),
});

const workspace = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform/workspaces/$id",
  validateSearch: (search) => only({ tab: text(search.tab), version: text(search.version), part: text(search.part), a: text(search.a), b: text(search.b), held: text(search.held), left: text(search.left) }),
  component: lazyRouteComponent(() => import("@/routes/workspace"), "WorkspacePage"),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform/runs/$id",
  staticData: { foldNav: true },
  validateSearch: (search) => only({ tab: text(search.tab), decide: text(search.decide), line: positive(search.line) }),
  component: lazyRouteComponent(() => import("@/routes/run"), "RunPage"),
});

const stacks = createRoute({ getParentRoute: () => shell, path: "/infra/terraform/stacks", component: lazyRouteComponent(() => import("@/routes/stacks"), "StacksPage") });

const stack = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform/stacks/$id",
  staticData: { foldNav: true },
  validateSearch: (search) => only({ tab: text(search.tab), a: text(search.a), b: text(search.b) }),
  component: lazyRouteComponent(() => import("@/routes/stack"), "StackPage"),
});

const policies = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform/policies",
  validateSearch: (search) => only({ tab: text(search.tab), set: text(search.set), attachment: text(search.attachment), rehearsal: text(search.rehearsal) }),
  component: lazyRouteComponent(() => import("@/routes/policies"), "PoliciesPage"),
});

const policyDraft = createRoute({
  getParentRoute: () => shell,
  path: "/infra/terraform/policies/draft",
  staticData: { foldNav: true },
  validateSearch: (search) => only({ draft: text(search.draft), side: text(search.side), run: text(search.run), rehearsal: text(search.rehearsal) }),
  component: lazyRouteComponent(() => import("@/routes/policy-draft"), "PolicyDraftPage"),
});

const state = createRoute({ getParentRoute: () => shell, path: "/infra/terraform/state", component: lazyRouteComponent(() => import("@/routes/state"), "StatePage") });

const workspaceState = createRoute({ getParentRoute: () => shell, path: "/infra/terraform/state/$workspace", component: lazyRouteComponent(() => import("@/routes/state"), "WorkspaceStatePage") });

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  validateSearch: (search) => only({ action: text(search.action), target: text(search.target), actor: text(search.actor) }),
  component: lazyRouteComponent(() => import("@/routes/audit"), "AuditPage"),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  validateSearch: (search) => only({ tab: text(search.tab), notification: text(search.notification) }),
  component: lazyRouteComponent(() => import("@/routes/settings"), "SettingsPage"),
});

const tree = root.addChildren([login, shell.addChildren([inbox, infra, workspaces, workspace, run, stacks, stack, policies, policyDraft, state, workspaceState, audit, settings])]);

export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queryClient },
    defaultPreload: "intent",
    defaultPendingComponent: PagePending,
    defaultErrorComponent: LoadFailed,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  });
}
