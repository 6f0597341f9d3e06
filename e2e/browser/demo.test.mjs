// The demo as a newcomer meets it: one command, a provider inside, in light, in dark and on a phone.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { bounded, given, look, open, quit, shoot } from './chromium.mjs';

after(quit);

const looks = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

for (const [name, options] of Object.entries(looks)) {
  test(`the demo, ${name}: sign in, call, two tabs, sign out, back`, bounded, async () => {
    const { context, close } = await open(given.demo, options);
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));

    await page.goto(given.demo);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await shoot(page, `demo-${name}-welcome`);
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await page.getByRole('heading', { name: 'Choose an account' }).waitFor();
    assert.notEqual(new URL(page.url()).hostname, new URL(given.demo).hostname, 'the provider is another site');
    await shoot(page, `demo-${name}-provider`);
    await page.getByRole('button', { name: /Ada/ }).click();

    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await page.getByRole('button', { name: 'Place order' }).click();
    await page.locator('.orders table tbody tr').first().waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.ok(!wide, 'the page is wider than the screen');
    await look(page, `demo ${name}`);
    await shoot(page, `demo-${name}-signed-in`);

    const second = await context.newPage();
    await second.goto(given.demo);
    await second.getByRole('button', { name: 'Sign out' }).waitFor();
    await page.bringToFront();

    await page.getByRole('button', { name: 'Sign out' }).click();
    const leave = page.getByRole('heading', { name: /Sign out/ });
    const away = page.getByRole('link', { name: 'Sign in' }).first();
    await leave.or(away).first().waitFor();
    if (await leave.isVisible()) await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await away.waitFor();

    await second.bringToFront();
    await second.getByRole('link', { name: 'Sign in' }).first().waitFor();
    await page.bringToFront();
    await page.goBack();
    if (new URL(page.url()).origin === given.demo) {
      await page.getByRole('link', { name: 'Sign in' }).first().waitFor();
      assert.ok(!(await page.content()).includes('Ada Lovelace'), 'the back button shows who was signed in');
    }
    assert.deepEqual(errors, []);
    await close();
  });
}
