// A Vite-built React app behind the built binary, with the npm provider on another site (127.0.0.1, the app on localhost).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { bounded, given, look, open, quit, shoot } from './chromium.mjs';

after(quit);

const session = '__Host-Http-session';
const names = async (context) => (await context.cookies(given.app)).map((c) => c.name);

async function signIn(page, who) {
  await page.goto(given.app);
  await page.click('#sign-in');
  await page.waitForURL(`${given.provider}/interaction/**`);
  await page.fill('input[name=login]', who);
  await page.click('button[value=login]');
  await page.waitForSelector('#sign-out');
}

test('sign in, call, two tabs, sign out, and the back button shows nothing', bounded, async () => {
  const { context, close } = await open(given.app);
  const page = await context.newPage();
  await signIn(page, 'alice');

  // BBA-6.1-07: the Strict cookie is there although the way back began on another site, and the fragment survived.
  assert.equal(page.url(), `${given.app}/orders#top`);
  assert.equal(await page.textContent('#state'), 'Hello, alice.');
  await look(page, 'signed in');

  // CK-03, BBA-6.1-04, BBA-6.1-05, BBA-6.1-06, CK-02: the cookie as the browser keeps it.
  const cookie = (await context.cookies(given.app)).find((c) => c.name === session);
  assert.ok(cookie, `cookies: ${await names(context)}`);
  assert.deepEqual(
    { secure: cookie.secure, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path, domain: cookie.domain, expires: cookie.expires },
    { secure: true, httpOnly: true, sameSite: 'Strict', path: '/', domain: 'localhost', expires: -1 },
  );
  assert.equal(cookie.value.length, 43);
  assert.equal(await page.evaluate(() => document.cookie), '');

  await page.click('#call');
  await page.waitForFunction(() => document.querySelector('#answer').textContent.includes('/v1/orders'));
  await look(page, 'called the API');
  await shoot(page, 'app-signed-in');

  const second = await context.newPage();
  await second.goto(given.app);
  assert.equal(await second.textContent('#state'), 'Hello, alice.');

  await page.click('#sign-out');
  await page.waitForURL(`${given.provider}/**`);
  await page.click('button[name=logout]');
  await page.waitForSelector('#sign-in');
  assert.equal(new URL(page.url()).origin, given.app);
  await look(page, 'signed out');
  // RPL-04: the browser has really dropped it.
  assert.ok(!(await names(context)).includes(session));

  await second.click('#call');
  await second.waitForSelector('#sign-in');
  await look(second, 'the other tab');

  for (let i = 0; i < 3; i += 1) {
    await page.goBack();
    if (new URL(page.url()).origin !== given.app) continue;
    await page.waitForSelector('#sign-in');
    assert.ok(!(await page.content()).includes('alice'), 'the back button shows who was signed in');
  }
  await close();
});

// BBA-6.1-11, RPL-01: another site's page can neither call nor sign out, by image, form or frame.
test('another site can do nothing with the cookie', bounded, async () => {
  const { context, close } = await open(given.app);
  const page = await context.newPage();
  await signIn(page, 'bob');

  const evil = await context.newPage();
  await evil.goto(`${given.evil}/public/evil`); // the same machine, another site
  await evil.setContent(`<img src="${given.app}/bff/logout"><iframe src="${given.app}/bff/user"></iframe>
    <form id="f" method="post" action="${given.app}/bff/logout"></form>`);
  const read = await evil.evaluate((url) => fetch(url, { credentials: 'include' }).then((r) => r.text(), (e) => `refused: ${e.message}`), `${given.app}/api/orders`);
  assert.match(read, /^refused/);
  await Promise.all([evil.waitForNavigation(), evil.evaluate(() => document.getElementById('f').submit())]);

  await page.reload();
  assert.equal(await page.textContent('#state'), 'Hello, bob.');
  await close();
});

// RFC 10017, 6.1.3.2 and Annex C: a link of another site to a page of the app arrives signed in, by way of the page itself.
test('a link from another site shows the app signed in', bounded, async () => {
  const { context, close } = await open(given.app);
  const page = await context.newPage();
  await signIn(page, 'carol');
  const other = await context.newPage();
  await other.goto(`${given.evil}/public/evil`);
  await other.setContent(`<a href="${given.app}/orders">orders</a>`);
  await other.click('a');
  await other.waitForSelector('#sign-out');
  assert.equal(await other.textContent('#state'), 'Hello, carol.');
  await close();
});
