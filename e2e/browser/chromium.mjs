// Debian's Chromium under playwright-core, and a notebook of everything that it is sent, shows and stores.
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

// The Go test that starts these stories says where everything is.
export const given = JSON.parse(process.env.CLOAKROOM_BROWSER);

const settings = {
  executablePath: given.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};
const launched = await chromium.launch(settings);

// bounded goes with every story.
export const bounded = { timeout: 60_000 };

export const quit = () => launched.close();

const write = (entry) => fs.appendFileSync(given.notebook, `${JSON.stringify(entry)}\n`);

// lasting is a profile of its own that sends third-party cookies, which private windows, as the others are, do not.
async function lasting(options) {
  const profile = fs.mkdtempSync(path.join(path.dirname(given.notebook), 'profile-')); // goes with the Go test's folder
  fs.mkdirSync(path.join(profile, 'Default'));
  fs.writeFileSync(path.join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
  return chromium.launchPersistentContext(profile, { ...settings, ...options });
}

// open returns a fresh browser profile on origin. Everything that origin answers goes into the notebook. It blocks third-party cookies, unless they are asked for.
export async function open(origin, { thirdPartyCookies, ...options } = {}) {
  const context = await (thirdPartyCookies ? lasting(options) : launched.newContext(options));
  context.setDefaultTimeout(15_000);
  const pending = new Set();
  const note = async (response) => {
    const headers = (await response.headersArray()).map(({ name, value }) => [name, value]);
    // What the browser had already and only asked about comes as 200 with the headers of the 304 that was sent.
    const unchanged = response.status() === 200 && !headers.some(([name]) => name.toLowerCase() === 'content-type');
    const status = unchanged ? 304 : response.status();
    // A body is gone when its page is: what a page showed is noted by look().
    const body = status >= 300 && status < 400 ? '' : await response.text().catch(() => '');
    write({ kind: 'answer', method: response.request().method(), url: response.url(), status, headers, body });
  };
  context.on('response', (response) => {
    if (!response.url().startsWith(origin)) return;
    const noted = note(response).catch(() => {}).finally(() => pending.delete(noted));
    pending.add(noted);
  });
  context.on('page', (page) => {
    page.on('websocket', (ws) => ws.on('framereceived', ({ payload }) => write({ kind: 'page', where: 'websocket frame', body: String(payload) })));
    // Of Clear-Site-Data the browser writes for developers which URL had it, the callback's among them, with the code that is spent by then.
    page.on('console', (message) => message.text().startsWith('Clear-Site-Data header on') || write({ kind: 'page', where: 'console', body: message.text() }));
  });
  // close waits for the notes; the body of an answer whose page is gone may never come, so not for ever.
  const close = async () => {
    let timer;
    await Promise.race([Promise.all(pending), new Promise((resolve) => { timer = setTimeout(resolve, 3000); })]);
    clearTimeout(timer);
    await context.close();
  };
  return { context, close };
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
