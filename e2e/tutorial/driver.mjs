// The reader's browser: it takes one act a line, and answers with one line when it is done.
import readline from 'node:readline';
import { open, quit } from '../browser/chromium.mjs';

const { context, close } = await open('http://localhost');
const page = await context.newPage();
const refused = [];
page.on('console', (message) => { if (message.text().includes('Content Security Policy')) refused.push(message.text()); });
page.on('pageerror', (error) => refused.push(String(error)));

const acts = {
  open: (url) => page.goto(url),
  click: (name) => page.getByRole('button', { name }).or(page.getByRole('link', { name })).or(page.getByLabel(name)).click(),
  see: (text) => page.getByText(text).first().waitFor(),
  type: async (text) => {
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  },
  // look says what there is for scripts, and for whoever looks with the developer's tools.
  look: async (url) => ({
    cookies: await context.cookies(url),
    readable: await page.evaluate(() => [document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)].filter(Boolean)),
    scripts: await page.evaluate(() => Array.from(document.scripts, (s) => (s.src ? new URL(s.src).pathname : 'inline'))),
    refused,
  }),
};

console.log(JSON.stringify({ ready: true }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { do: what, what: on } = JSON.parse(line);
  try {
    const seen = await acts[what](on);
    console.log(JSON.stringify({ done: true, seen: what === 'look' ? seen : undefined }));
  } catch (error) {
    const shown = await page.locator('body').innerText().catch(() => '');
    console.log(JSON.stringify({ done: false, error: error.message, url: page.url(), shown }));
  }
}
await close();
await quit();
