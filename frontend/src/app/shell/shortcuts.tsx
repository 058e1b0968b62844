import { Dialog } from "@/components/ui/dialog";
import { Kbd } from "@/components/ui/kbd";

const GROUPS: { title: string; rows: [string, string][] }[] = [
  { title: "Everywhere", rows: [["⌘ K", "Search or run a command"], ["?", "This list"], ["⇧ H", "Open Halt"], ["G I", "Inbox"], ["G O", "Infra"], ["G W", "Workspaces"], ["G S", "Stacks"], ["G P", "Policies"], ["G T", "State"], ["G A", "Audit"]] },
  { title: "Lists", rows: [["J K", "Move"], ["↵", "Open"], ["Esc", "Back"], ["/", "Search"], ["P", "Plan the workspace"], ["[ ]", "Page"]] },
  { title: "Inbox", rows: [["A", "Open to approve"], ["R", "Open to reject"], ["H", "Snooze for an hour"], ["E", "Done"]] },
  { title: "A run", rows: [["X", "Seen"], ["N ⇧N", "Next, previous unseen destructive change"], ["← →", "Fold, unfold"], ["Z", "Fold or unfold all"], ["A", "Approve: opens the bar"], ["R", "Reject"], ["D", "Discard"], ["O", "Override what blocks"], ["⇧ C", "Cancel the run"]] },
  { title: "Policies", rows: [["J K", "Move"], ["N", "New draft"], ["Esc", "Close what is open"]] },
  { title: "State", rows: [["X", "Choose a version to compare"], ["C", "Compare the two"]] },
  { title: "The log", rows: [["/", "Search"], ["F", "Follow"], ["E", "Next error"], ["W", "Next warning"]] },
];

export function Shortcuts({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Shortcuts">
      <div tabIndex={0} role="group" aria-label="Shortcuts" className="flex flex-col gap-4 p-5 outline-none">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3 className="mb-1 text-11 text-ink-3">{group.title}</h3>
            <dl className="flex flex-col gap-1">
              {group.rows.map(([key, what]) => (
                <div key={key + what} className="flex items-center justify-between text-13">
                  <dt>{what}</dt>
                  <dd><Kbd>{key}</Kbd><span className="sr-only">{key}</span></dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
