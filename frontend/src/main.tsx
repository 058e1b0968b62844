import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter/wght.css";
import "@fontsource/jetbrains-mono/400.css";
import "@fontsource/jetbrains-mono/600.css";
import "./app/global.css";
import { App } from "./app/app";
import { followSystemTheme } from "./lib/theme";

async function start(): Promise<void> {
  if (__MOCK__) await (await import("./testing/mock-mode")).startMockMode();
  followSystemTheme();
  const root = document.getElementById("root");
  if (!root) throw new Error("The page has no #root element");
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

void start();
