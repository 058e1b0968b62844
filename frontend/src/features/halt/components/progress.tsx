import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { Ring } from "@/components/domain/status";
import { useMe } from "@/lib/api/session";
import type { Halt } from "@/lib/api/types";
import { useNow } from "@/lib/clock";
import { clock, plural, stopwatch } from "@/lib/format";
import { scopeWords } from "./banner";

/** What a standing halt has done: the fence, the runs it stopped, and each process that is not yet proven dead. */
export function HaltProgress({ halt }: { halt: Halt }) {
  const at = useNow(1_000);
  const organization = useMe().organization.name;
  const { total, dead, dying } = halt.runs;
  const quiet = dying.length === 0;
  return (
    <div className="flex max-sm:flex-col">
      <dl className="flex w-[292px] shrink-0 flex-col gap-3 border-r border-line p-5 text-13 max-sm:w-full max-sm:border-r-0 max-sm:border-b">
        <div><dt className="text-11 text-ink-3">Scope</dt><dd className="font-medium">{scopeWords(halt, organization)}</dd></div>
        <div><dt className="text-11 text-ink-3">Raised</dt><dd>{clock(halt.created_at)} by {halt.actor.name}</dd></div>
        <div><dt className="text-11 text-ink-3">Why</dt><dd>{halt.reason}</dd></div>
        <div className="border-t border-line pt-3">
          <dt className="sr-only">Progress</dt>
          <dd className="flex flex-col gap-1 text-12">
            <span className="flex items-center gap-2"><Check size={14} className="text-create" aria-hidden />Fence up: nothing new can start</span>
            <span className="flex items-center gap-2"><Check size={14} className="text-create" aria-hidden />{plural(total, "run")} cancelled</span>
            <span className="flex items-center gap-2 font-medium">
              {quiet ? <Check size={14} className="text-create" aria-hidden /> : <Ring className="text-wait" />}
              {dead} of {dead + dying.length} proven dead
            </span>
          </dd>
        </div>
      </dl>
      <div className="min-w-0 grow">
        <div className="flex items-center gap-5 border-b border-line p-5">
          <span className={quiet ? "text-36 font-semibold text-create" : "text-36 font-semibold text-wait"}>{quiet ? "0" : dying.length}</span>
          <div>
            <p className="font-medium">{quiet ? "No process is left in the scope" : `${dying.length === 1 ? "process is" : "processes are"} not yet proven dead`}</p>
            <p className="text-12 text-ink-3">{quiet ? `Checked ${clock(new Date(at).toISOString())}. The fence stands until Resume.` : `Interrupted ${stopwatch((at - Date.parse(halt.created_at)) / 1000)} ago. What does not end by itself is killed.`}</p>
          </div>
        </div>
        {dying.length > 0 ? (
          <table className="w-full text-12">
            <thead className="text-left text-11 text-ink-3">
              <tr className="h-8 border-b border-line"><th className="pl-5 font-normal">Process</th><th className="font-normal">Run</th><th className="font-normal">Workspace</th><th className="pr-5 font-normal">Was</th></tr>
            </thead>
            <tbody>
              {dying.map((each) => (
                <tr key={each.run_id} className="h-8 border-b border-line bg-wait-bg">
                  <td className="pl-5"><span className="flex items-center gap-2 font-medium"><Ring className="text-wait" />stopping</span></td>
                  <td><Link to="/infra/terraform/runs/$id" params={{ id: each.run_id }} className="link font-mono">{each.run_id}</Link></td>
                  <td>{each.workspace}</td>
                  <td className="pr-5 text-ink-2">{each.status.replaceAll("_", " ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          <p className="flex items-center gap-2 px-5 py-3 text-12"><Check size={14} className="text-create" aria-hidden />{total === 0 ? "Nothing was running or waiting when the fence went up." : `${plural(total, "run")} had ended by now, each with its proof on its page.`}</p>
        )}
      </div>
    </div>
  );
}
