import { lazy, Suspense } from "react";
import { Skeleton } from "@/components/ui/bits";
import type { CodeProps } from "./code-mirror";

const CodeMirror = lazy(() => import("./code-mirror"));

/** Text with line numbers, search and folds; what it takes is fetched when it is first shown. */
export function Code(props: CodeProps) {
  return (
    <Suspense fallback={<Skeleton rows={14} height={20} />}>
      <CodeMirror {...props} />
    </Suspense>
  );
}
