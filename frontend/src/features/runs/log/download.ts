import type { LogState } from "./store";

/** Saves the log as it was received, one line a line, with its times. */
export function downloadLog(id: string, state: LogState): void {
  const text = state.lines.map((line) => `${line.at} ${line.text}`).join("\n");
  const url = URL.createObjectURL(new Blob([text, "\n"], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${id}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
