/** Several people who are signed in at once, each in a browser of their own. */
import { openPage } from "./page.mjs";

/** Makes a member with the roles, and opens the site as them by their one-time link. */
export async function signIn(browser, up, api, { name, roles, ...look }) {
  const member = await api("POST", "/users", { email: `${name.toLowerCase().replaceAll(" ", ".")}@example.com`, name, roles });
  const page = await openPage(browser, look);
  await page.goto(new URL(member.login_url, up.url).href);
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  return Object.assign(page, { member });
}

/** Waits until a run is in one of the statuses, and returns it. */
export async function runIn(api, id, statuses, withinMs = 60_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    const run = await api("GET", `/terraform/runs/${id}`);
    if (statuses.includes(run.status)) return run;
    if (Date.now() > end) throw new Error(`${id} is ${run.status} (${run.status_reason}), not one of ${statuses}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
