// Front-channel logout as a provider without back-channel logout does it: its page, on another site, loads ours in a frame. Everything is judged
// by what the browser does, sends and shows.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, test } from 'node:test';
import { bounded, given, open, quit } from './chromium.mjs';

after(quit);

const session = '__Host-Http-session';

async function signIn(context, who) {
  const page = await context.newPage();
  await page.goto(`${given.app}/bff/login?return_to=/orders`);
  await page.waitForURL(`${given.provider}/interaction/**`);
  await page.fill('input[name=login]', who);
  await page.click('button[value=login]');
  await page.waitForSelector('#sign-out');
  const { value } = (await context.cookies(given.app)).find((c) => c.name === session);
  return { page, ticket: value };
}

// until waits for what announces itself nowhere.
async function until(holds, otherwise) {
  const deadline = Date.now() + 10_000;
  while (!await holds()) {
    assert.ok(Date.now() < deadline, otherwise);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

// sidOf is the user's session at the provider, as its ID token named it.
async function sidOf(who) {
  const sids = await (await fetch(`${given.provider}/control/sids?sub=${who}`)).json();
  assert.equal(sids.length, 1);
  return sids[0];
}

// signedIn asks one replica.
const signedIn = (replica, ticket) => new Promise((resolve, reject) => {
  const [host, port] = replica.split(':');
  const headers = { Host: new URL(given.app).host, Cookie: `${session}=${ticket}`, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' };
  http.get({ host, port, path: '/bff/user', headers, agent: false }, (res) => {
    let body = '';
    res.on('data', (chunk) => { body += chunk; });
    res.on('end', () => resolve(JSON.parse(body).authenticated));
  }).on('error', reject);
});

// ended waits until each replica has heard it.
async function ended(ticket) {
  for (const replica of given.replicas) {
    await until(async () => !await signedIn(replica, ticket), `${replica} still serves the session`);
  }
}

// frame has a page frame url, and returns what became of the frame.
async function frame(context, around, url) {
  const page = await context.newPage();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  let asked;
  page.on('request', (request) => { if (request.url() === url) asked = request; });
  page.on('requestfailed', (request) => said.push(request.failure().errorText));
  await page.goto(around);
  await page.evaluate((src) => new Promise((resolve) => {
    const element = document.createElement('iframe');
    element.onload = resolve; // also of the page that says that it was blocked
    element.src = src;
    document.body.append(element);
  }), url);
  const framed = page.frames().find((f) => f.parentFrame());
  await until(() => framed.url() !== '', `nothing became of ${url}`);
  const shown = { url: framed.url(), text: '' };
  if (shown.url === url) { // of what was blocked the browser does not always tell the headers, and allHeaders would wait for ever
    shown.text = await framed.evaluate(() => document.body.textContent);
    shown.cookie = (await asked.allHeaders()).cookie;
  }
  await page.close();
  return { ...shown, said: said.join('\n') };
}

// Pages that may want to frame ours: the provider's, another one's, the app's own.
const around = { provider: `${given.provider}/.well-known/openid-configuration`, evil: `${given.evil}/public/evil`, app: `${given.app}/orders` };

const frontchannel = (sid) => `${given.app}/bff/frontchannel?${new URLSearchParams({ iss: given.provider, sid })}`;

// A cookie that a third party would get, unless the browser blocks those.
const probe = { name: 'probe', value: '1', url: given.app.replace('http:', 'https:'), sameSite: 'None', secure: true };

for (const thirdPartyCookies of [true, false]) {
  test(`the provider's page signs out everywhere, in a browser that ${thirdPartyCookies ? 'sends' : 'blocks'} third-party cookies`, bounded, async (t) => {
    assert.notEqual(new URL(given.provider).hostname, new URL(given.app).hostname, 'the provider is another site');
    const { context, close } = await open(given.app, { thirdPartyCookies });
    t.after(close);
    const who = thirdPartyCookies ? 'frank' : 'grace';
    const { page, ticket } = await signIn(context, who);
    await context.addCookies([probe]);
    for (const replica of given.replicas) assert.ok(await signedIn(replica, ticket));

    const url = frontchannel(await sidOf(who));
    const framed = await frame(context, around.provider, url);
    assert.equal(framed.url, url, framed.said);
    assert.equal(framed.text, 'done\n');
    assert.equal(framed.cookie, thirdPartyCookies ? 'probe=1' : undefined, 'the session cookie is Strict, and not sent');
    await ended(ticket);
    await page.reload();
    await page.waitForSelector('#sign-in');
  });
}

// BCP-27: frame-ancestors, as the browser obeys it.
test('nobody else may frame that, and nobody anything else', bounded, async (t) => {
  const { context, close } = await open(given.app);
  t.after(close);
  const { ticket } = await signIn(context, 'heidi');
  const logout = frontchannel('somebody-elses-session-at-the-provider');
  const own = ['/', '/orders', '/bff/user', '/bff/logout', '/bff/sessions', '/bff/frontchannel', '/bff/login?return_to=https://evil.test/', '/api/orders', '/bff/nothing'];
  const blocked = [
    ...[around.evil, around.app].map((page) => [page, logout]),
    ...own.map((path) => [around.provider, `${given.app}${path}`]),
    ...own.slice(0, 4).map((path) => [around.evil, `${given.app}${path}`]),
  ];
  for (const [page, url] of blocked) {
    const framed = await frame(context, page, url);
    assert.match(framed.url, /^chrome-error:/, `${page} frames ${url}`);
    assert.match(framed.said, /frame-ancestors/, `${url} in a frame of ${page}`);
  }
  assert.equal((await frame(context, around.provider, logout)).text, 'done\n', 'the provider still may');
  for (const replica of given.replicas) assert.ok(await signedIn(replica, ticket));
});
