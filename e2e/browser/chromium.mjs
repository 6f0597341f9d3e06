// Debian's Chromium under playwright-core, and a notebook of everything that it is sent, shows and stores.
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

// The Go test that starts these stories says where everything is.
export const given = JSON.parse(process.env.CLOAKROOM_BROWSER);

const launched = await chromium.launch({
  executablePath: given.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

export const quit = () => launched.close();

const write = (entry) => fs.appendFileSync(given.notebook, `${JSON.stringify(entry)}\n`);

// open returns a fresh browser profile on origin. Everything that origin answers goes into the notebook.
export async function open(origin, options = {}) {
  const context = await launched.newContext(options);
  context.setDefaultTimeout(15_000);
  const pending = new Set();
  const note = async (response) => {
    const { pathname } = new URL(response.url());
    const headers = (await response.headersArray()).map(({ name, value }) => [name, value]);
    const redirected = response.status() >= 300 && response.status() < 400;
    // A body is gone when its page is: what a page showed is noted by look().
    const body = redirected ? '' : await response.text().catch(() => '');
    write({ kind: 'answer', where: `${response.request().method()} ${pathname}`, status: response.status(), headers, body });
  };
  context.on('response', (response) => {
    if (!response.url().startsWith(origin)) return;
    const noted = note(response).catch(() => {}).finally(() => pending.delete(noted));
    pending.add(noted);
  });
  context.on('page', (page) => {
    page.on('websocket', (ws) => ws.on('framereceived', ({ payload }) => write({ kind: 'page', where: 'websocket frame', body: String(payload) })));
    page.on('console', (message) => write({ kind: 'page', where: 'console', body: message.text() }));
  });
  return { context, settle: () => Promise.all(pending) };
}

// look notes what a page shows and what its scripts can read.
export async function look(page, where) {
  const stored = await page.evaluate(() => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state,
  ]));
  write({ kind: 'page', where, body: `${await page.content()}\n${stored}` });
}

// shoot saves a picture of the page for people to look at.
export const shoot = (page, name) => page.screenshot({ path: path.join(given.pictures, `${name}.png`), fullPage: true });
