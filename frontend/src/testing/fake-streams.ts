import { vi } from "vitest";

/** A WebSocket that does what a test says; all that were opened are in `all`. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  close(): void {
    this.onclose?.();
  }

  send(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

/** Server-sent events that come when a test says so. */
export class FakeEvents {
  static all: FakeEvents[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private heard = new Map<string, (event: { data: string }) => void>();

  constructor(readonly url: string) {
    FakeEvents.all.push(this);
  }

  addEventListener(name: string, hear: (event: { data: string }) => void): void {
    this.heard.set(name, hear);
  }

  close(): void {
    this.closed = true;
  }

  send(name: string, data: unknown): void {
    this.heard.get(name)?.({ data: JSON.stringify(data) });
  }
}

/** Both tries of a WebSocket end without a word, on fake timers. */
export async function refuseSockets(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
  FakeSocket.all[0]?.close();
  await vi.advanceTimersByTimeAsync(500);
  FakeSocket.all[1]?.close();
  await vi.advanceTimersByTimeAsync(0);
}
