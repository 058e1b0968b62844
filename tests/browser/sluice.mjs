/** Starts a whole Sluice in a directory of its own, as `sluice up` does for anybody, and stops it again. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves with what `up` prints when it is ready, and `stop`. */
export async function startSluice({ readyMs = 120_000, settings = {} } = {}) {
  const program = join(ROOT, ".venv", "bin", "sluice");
  if (!existsSync(program)) throw new Error("There is no .venv/bin/sluice: run make install");
  if (!existsSync(join(ROOT, "frontend", "dist", "index.html"))) throw new Error("The web UI is not built: run npm run build in frontend/");
  const home = mkdtempSync(join(tmpdir(), "sluice-browser-"));
  const child = spawn(program, ["up", "--home", home, "--port", String(await freePort()), "--json"], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...settings } });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const line = await new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(() => reject(new Error(`sluice up was not ready in ${readyMs} ms:\n${errors}`)), readyMs);
    child.once("exit", (code) => reject(new Error(`sluice up ended with ${code}:\n${errors}`)));
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (!text.includes("\n")) return;
      clearTimeout(late);
      resolve(text.slice(0, text.indexOf("\n")));
    });
  });
  return {
    ...JSON.parse(line),
    errors: () => errors,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Asks the API as the seeded admin. */
export function apiOf(up) {
  return async (method, path, body) => {
    const response = await fetch(up.url + path, {
      method,
      headers: { authorization: `Bearer ${up.token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  };
}
