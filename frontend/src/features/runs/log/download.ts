import { saveText } from "@/lib/save";
import type { LogState } from "./store";

/** Saves the log as it was received, one line a line, with its times. */
export function downloadLog(id: string, state: LogState): void {
  saveText(`${id}.log`, `${state.lines.map((line) => `${line.at} ${line.text}`).join("\n")}\n`);
}
