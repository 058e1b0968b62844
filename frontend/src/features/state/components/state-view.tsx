import type { Workspace } from "@/lib/api/types";
import { CompareView } from "@/features/state/compare/compare-view";
import { QuarantineView } from "@/features/state/quarantine/quarantine-view";
import { RecoveryView } from "@/features/state/recovery/recovery-view";
import type { StateSearch } from "@/features/state/search";
import { History } from "./history";
import { VersionPage } from "./version-page";

/** A workspace's state: its versions, one of them, two compared, what is held in quarantine, or what no state knows. */
export function StateView({ workspace, search }: { workspace: Workspace; search: StateSearch }) {
  if (search.a && search.b) return <CompareView workspace={workspace} a={search.a} b={search.b} />;
  if (search.held) return <QuarantineView workspace={workspace} held={search.held} />;
  if (search.left) return <RecoveryView workspace={workspace} />;
  if (search.version) return <VersionPage key={search.version} workspace={workspace} id={search.version} part={search.part} />;
  return <History workspace={workspace} />;
}
