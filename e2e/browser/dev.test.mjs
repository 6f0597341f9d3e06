// Vite's development server behind the built binary: a change in a file shows without a reload, through our WebSocket proxy.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { bounded, given, open, quit } from './chromium.mjs';

after(quit);

test('hot reload works through the proxy, signed in', bounded, async () => {
  const { context, close } = await open(given.dev);
  const page = await context.newPage();
  const connected = page.waitForEvent('console', (m) => m.text().includes('[vite] connected'));
  await page.goto(given.dev);
  await connected;
  await page.click('#sign-in');
  await page.fill('input[name=login]', 'dave');
  const again = page.waitForEvent('console', (m) => m.text().includes('[vite] connected'));
  await page.click('button[value=login]');
  await page.waitForSelector('#sign-out');
  await again;
  await page.evaluate(() => { window.notReloaded = true; });

  const source = fs.readFileSync(given.greeting, 'utf8');
  fs.writeFileSync(given.greeting, source.replace('Hello,', 'Good morning,'));
  await page.waitForFunction(() => document.querySelector('#state')?.textContent === 'Good morning, dave.');
  assert.equal(await page.evaluate(() => window.notReloaded), true, 'the page was reloaded');
  await close();
});
