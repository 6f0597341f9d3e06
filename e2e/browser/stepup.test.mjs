// Step-up (RFC 9470), and sign-ins that lead nowhere, in a real browser: what a rule or an upstream wants, what the user does about it, and where it stops. The app's
// part is the code of docs/spa.md, as it stands there.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, test } from 'node:test';
import { bounded, given, open, quit, shoot } from './chromium.mjs';

after(quit);

const session = '__Host-Http-session';
const wrapper = fs.readFileSync('../../docs/spa.md', 'utf8').split('```js\n').map((s) => s.split('```')[0]).find((s) => s.includes('async function api('));

const provider = (settings) => fetch(`${given.provider}/control/settings`, { method: 'POST', body: JSON.stringify(settings) });
const ticketOf = async (context) => (await context.cookies(given.app)).find((c) => c.name === session)?.value;

async function identify(page, who) {
  await page.waitForURL(`${given.provider}/interaction/**`);
  await page.fill('input[name=login]', who);
  await page.click('button[value=login]');
}

async function signIn(context, who) {
  const page = await context.newPage();
  await page.goto(`${given.app}/bff/login?return_to=/orders`);
  await identify(page, who);
  await page.waitForSelector('#sign-out');
  return page;
}

// call is the app's call of its API, and what it got: the API's answer, or the problem.
const call = (page, path) => page.evaluate(`(async () => { ${wrapper}
  try { const res = await api(${JSON.stringify(path)}); return { status: res.status }; } catch (problem) { return { ...problem }; }
})()`);

// stepUp is what the app does about a problem of the code step_up.
const stepUp = (page, problem) => page.evaluate(`{ ${wrapper}
  signIn(${JSON.stringify(problem)}); }`);

// alive asks every replica about a ticket.
async function alive(ticket) {
  const answers = await Promise.all(given.replicas.map((replica) => new Promise((resolve, reject) => {
    const [host, port] = replica.split(':');
    const headers = { Host: new URL(given.app).host, Cookie: `${session}=${ticket}`, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' };
    http.get({ host, port, path: '/bff/user', headers, agent: false }, (res) => {
      let body = '';
      res.on('data', (chunk) => { body += chunk; });
      res.on('end', () => resolve(JSON.parse(body).authenticated));
    }).on('error', reject);
  })));
  assert.ok(answers.every((a) => a === answers[0]), 'the replicas disagree');
  return answers[0];
}

// rounds counts how often the page is sent to the provider.
function rounds(page) {
  const count = { n: 0 };
  page.on('request', (r) => { if (r.url().startsWith(`${given.provider}/auth?`)) count.n += 1; });
  return count;
}

// aloud is the page as a screen reader has it; a picture of it is kept, light and dark.
async function aloud(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await shoot(page, `${name}-${colorScheme}`);
  }
  return page.locator('body').ariaSnapshot();
}

// OAX-17: the first three of its paths.
test('a stronger sign-in comes back to where it was wanted, with a new ticket', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const page = await signIn(context, 'dora');
  for (const [path, asks] of [
    [`/api/demanding?c=${encodeURIComponent('acr_values="urn:pwd"')}`, 'acr_values=urn%3Apwd'],
    ['/safe/x', 'acr_values=urn%3Amfa'],
    ['/fresh/x', 'max_age=60'],
    ['/api/demanding?c=', 'max_age=0'], // and says nothing more: only another sign-in by hand can be meant
  ]) {
    const before = await ticketOf(context);
    await page.goto(`${given.app}/orders?tab=2#top`);
    const problem = await call(page, path);
    if (path.endsWith('c=')) { // the sign-in was just now
      assert.deepEqual([problem.status, problem.code, problem.login], [403, 'step_up_in_vain', undefined]);
      continue;
    }
    assert.deepEqual([problem.status, problem.code, problem.login], [401, 'step_up', `/bff/login?${asks}`]);
    assert.equal((await call(page, '/api/orders')).status, 200, 'what needs no more still works');
    await stepUp(page, problem);
    if (!asks.startsWith('max_age')) await identify(page, 'dora'); // the provider knows dora for less than a minute, and says so
    await page.waitForURL(`${given.app}/orders?tab=2#top`);
    await page.waitForSelector('#sign-out');
    assert.equal((await call(page, path)).status, 200, path);
    assert.ok(!await alive(before), `${path}: the old ticket is still good`);
    assert.notEqual(await ticketOf(context), before);
  }
});

// OAX-17: the fourth.
test('whoever cancels stays signed in', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const page = await signIn(context, 'edna');
  const ticket = await ticketOf(context);
  await stepUp(page, await call(page, '/safe/x'));
  await page.waitForURL(`${given.provider}/interaction/**`);
  await page.click('button[value=cancel]');
  await page.waitForURL(`${given.app}/bff/callback?**`);
  const said = await aloud(page, 'step-up-cancelled');
  assert.match(said, /heading "The sign-in did not work"/);
  assert.match(said, /You are still signed in as before/);
  assert.match(said, /link "Try again"/);
  await page.click('text=Back to the app');
  await page.waitForURL(`${given.app}/orders`);
  assert.equal(await page.textContent('#state'), 'Hello, edna.');
  assert.equal(await ticketOf(context), ticket);
  assert.ok(await alive(ticket));
});

// OAX-17: the fifth, of a page: one round, and one more by hand.
test('a provider that ignores what is asked for ends on a page that says so', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  await provider({ acr: { ignored: true } });
  t.after(() => provider({ acr: { ignored: false } }));
  const page = await signIn(context, 'fay');
  const ticket = await ticketOf(context);
  const count = rounds(page);
  await page.goto(`${given.app}/pages/vault`);
  await page.waitForURL(`${given.app}/bff/callback?**`);
  const said = await aloud(page, 'step-up-refused');
  assert.equal(count.n, 1);
  assert.match(said, /heading "Not the sign-in that was asked for"/);
  assert.match(said, /second factor: ask whoever manages it. If you were signed in before, you still are/);
  assert.match(said, /link "Back to the app"/);
  await page.click('text=Try again');
  await page.waitForURL(`${given.app}/bff/callback?**`);
  assert.equal(count.n, 2);
  assert.ok(await alive(ticket));
  assert.equal(await ticketOf(context), ticket);
  await page.click('text=Back to the app');
  await page.waitForSelector('#sign-out');
});

test('a provider whose clock is slow ends on a page that says that it does not help', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  await provider({ acr: { late: 90 } });
  t.after(() => provider({ acr: { late: 0 } }));
  const page = await signIn(context, 'gwen');
  const count = rounds(page);
  await page.goto(`${given.app}/pages/fresh`);
  await identify(page, 'gwen');
  await page.waitForSelector('text=Signing in again does not help');
  assert.equal(count.n, 1);
  assert.match(await aloud(page, 'step-up-in-vain'), /link "Sign in as somebody else"/);
});

test('an upstream that sends whoever comes to sign in is not visited for ever', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const page = await signIn(context, 'hope');
  const count = rounds(page);
  await page.goto(`${given.app}/pages/again`);
  await page.waitForSelector('text=Signing in goes in circles');
  assert.equal(count.n, 4);
  const said = await aloud(page, 'sign-in-loop');
  assert.match(said, /link "Sign in as somebody else"/);
  assert.match(said, /link "Sign out"/);
  await page.click('a:text-is("Sign out")');
  await page.waitForSelector('button:has-text("Sign out")');
});

test('who may not see a page can come back as somebody who may', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  await provider({ users: { zeno: { groups: ['emperor'] } } });
  const page = await signIn(context, 'ines');
  const answer = await page.goto(`${given.app}/pages/staff?tab=2`);
  assert.equal(answer.status(), 403);
  const said = await aloud(page, 'forbidden');
  assert.match(said, /heading "Not allowed" \[level=1\]/);
  assert.match(said, /link "Back to the start page"/);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Sign in as somebody else');
  await page.keyboard.press('Enter');
  await identify(page, 'zeno');
  await page.waitForURL(`${given.app}/pages/staff?tab=2`);
  assert.match(await page.content(), /\/pages\/staff\?tab=2/);
});

// SES-03: another user's sign-in takes nothing over.
test('a step-up as another user starts afresh', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const page = await signIn(context, 'jane');
  const ticket = await ticketOf(context);
  await page.evaluate(() => { localStorage.setItem('draft', 'jane'); sessionStorage.setItem('retry', 'jane'); });
  await page.goto(`${given.app}/orders?pay=jane`);
  await stepUp(page, await call(page, '/safe/x'));
  await identify(page, 'kate');
  await page.waitForURL(`${given.app}/`);
  await page.waitForSelector('#sign-out');
  assert.equal(await page.textContent('#state'), 'Hello, kate.');
  assert.deepEqual(await page.evaluate(() => [localStorage.getItem('draft'), sessionStorage.getItem('retry')]), [null, null]);
  assert.ok(!await alive(ticket));
});

test('two tabs step up side by side', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const one = await signIn(context, 'lena');
  const before = await ticketOf(context);
  const two = await context.newPage();
  await two.goto(`${given.app}/orders?two`);
  for (const page of [one, two]) {
    await stepUp(page, await call(page, '/safe/x'));
    await page.waitForURL(`${given.provider}/interaction/**`);
  }
  await identify(two, 'lena');
  await two.waitForURL(`${given.app}/orders?two`);
  const between = await ticketOf(context);
  await identify(one, 'lena');
  await one.waitForURL(`${given.app}/orders`);
  for (const page of [one, two]) assert.equal((await call(page, '/safe/x')).status, 200);
  assert.ok(!await alive(before));
  assert.ok(!await alive(between));
  assert.ok(await alive(await ticketOf(context)));
});
