import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src", import.meta.url));

/** The API that `npm run dev` forwards to; a running `sluice up` listens here by default. */
const api = process.env.SLUICE_URL ?? "http://127.0.0.1:8080";

export default defineConfig(({ mode }) => ({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": src } },
  // `mock` exists for `dev:mock` alone: a production build resolves the entry without fixtures.
  define: { __MOCK__: JSON.stringify(mode === "mock") },
  server: {
    proxy: {
      "^/(terraform|auth|me|inbox|overview|organizations|users|members|teams|tokens|audit|health|openapi.json|api)(/|$|\\?)": {
        target: api,
        ws: true,
        bypass: (request) => (request.headers.accept?.includes("text/html") ? "/index.html" : undefined),
      },
    },
  },
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
  },
}));
