import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { explain } from "@/lib/api/http";
import type { StateVersion, Workspace } from "@/lib/api/types";
import { currentStateQuery } from "@/lib/api/workspaces";
import { VersionOutputs } from "./outputs";
import { ResourceBrowser } from "./resource-browser";

function Current({ workspace, none, children }: { workspace: Workspace; none: string; children: (version: StateVersion) => ReactNode }) {
  const current = useQuery(currentStateQuery(workspace.id));
  if (current.isPending) return <Skeleton rows={8} height={28} />;
  if (current.error && !current.data) return <Empty title="The state could not be read."><p role="alert">{explain(current.error)}</p></Empty>;
  return current.data ? children(current.data) : <Empty title="No state yet.">{none}</Empty>;
}

/** What the newest state holds. */
export function CurrentResources({ workspace }: { workspace: Workspace }) {
  return <Current workspace={workspace} none="Resources appear after the first apply.">{(version) => <ResourceBrowser key={version.id} version={version.id} />}</Current>;
}

/** The outputs of the newest state. */
export function CurrentOutputs({ workspace }: { workspace: Workspace }) {
  return (
    <Current workspace={workspace} none="Outputs appear after the first apply.">
      {(version) => (
        <>
          <p className="border-b border-line px-5 py-1.5 text-12 text-ink-2 max-sm:px-4">Of state version {version.number}, serial {version.serial}</p>
          <VersionOutputs version={version.id} />
        </>
      )}
    </Current>
  );
}
