import { setTransport } from "@/lib/api/http";
import { freezeClock } from "@/lib/clock";
import { NOW } from "./fixtures/people";
import { mockFetch } from "./mock-api";

/** A socket that opens and stays silent: in mock mode every record comes by the first pages. */
class SilentSocket extends EventTarget {
  onopen: (() => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    super();
    setTimeout(() => this.onopen?.(), 10);
  }

  close(): void {
    this.onclose?.();
  }
}

/** Puts fixtures in the place of the API. Only `npm run dev:mock` calls it. */
export function startMockMode(): Promise<void> {
  setTransport(mockFetch);
  freezeClock(NOW);
  Object.assign(window, { WebSocket: SilentSocket });
  return Promise.resolve();
}
