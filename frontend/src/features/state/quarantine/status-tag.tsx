import { Tag } from "@/components/ui/bits";
import type { QuarantinedState } from "@/lib/api/types";

const STATUS: Record<QuarantinedState["status"], { word: string; tone: "plain" | "wait" | "create" }> = {
  held: { word: "held", tone: "wait" },
  adopted: { word: "made current", tone: "create" },
  discarded: { word: "discarded", tone: "plain" },
};

export function QuarantineStatusTag({ status }: { status: QuarantinedState["status"] }) {
  return <Tag tone={STATUS[status].tone}>{STATUS[status].word}</Tag>;
}
