import { existsSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

/** Unpacks the browser that the package carries, where no other is named: whoever finds half of one, takes it for whole. */
export async function unpackBrowser() {
  if (!process.env.SLUICE_BROWSER) await chromium.executablePath();
}

/** Opens the headless browser: the one named by SLUICE_BROWSER, else the one that the package carries. */
export async function openBrowser() {
  const named = process.env.SLUICE_BROWSER;
  if (named && !existsSync(named)) throw new Error(`SLUICE_BROWSER names ${named}, which is not there`);
  chromium.setGraphicsMode = false;
  return playwright.launch({
    executablePath: named ?? (await chromium.executablePath()),
    headless: true,
    args: chromium.args.filter((arg) => !/^--(single-process|no-zygote|disable-web-security|allow-running-insecure-content|headless)/.test(arg)),
  });
}
