// The app's frame: who is signed in, which view shows, and what happens when the session ends elsewhere.
import { h, say, initials } from './dom.js';
import { user, keepAlive, signInURL, signOut } from './api.js';
import { welcome } from './welcome.js';
import { ordersCard } from './orders.js';
import { youCard } from './you.js';
import { holdsCard } from './holds.js';
import { inspectorCard } from './inspector.js';
import { sessionEvents } from './events.js';

const main = document.getElementById('main');
const account = document.getElementById('account');
const notice = document.getElementById('notice');
const retrySeconds = 5; // after an outage

let shown; // the session that the page shows: its ID, or '' for nobody
let parts = []; // cards with something to stop
let retry; // the timer of the next try
const events = sessionEvents({ state: showState, expiring: warn, ended, lost: check });

// show replaces the page's content.
function show(view, ...cards) {
  parts.forEach((part) => part.stop?.());
  parts = cards;
  main.replaceChildren(view);
  main.setAttribute('aria-busy', 'false');
}

function tell(...content) {
  notice.hidden = content.length === 0;
  notice.replaceChildren(...content);
}

function showSignedOut() {
  shown = '';
  events.close();
  account.replaceChildren(h('a', { class: 'button small', href: signInURL() }, 'Sign in'));
  const holds = holdsCard();
  show(welcome(signInURL(), holds.element), holds);
}

function showSignedIn(who) {
  shown = who.session.id;
  const name = who.claims.name || who.sub;
  const leave = h('button', { type: 'button', class: 'button small plain', onclick: () => doSignOut(leave) }, 'Sign out');
  account.replaceChildren(h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(name)), h('span', { class: 'name' }, name), leave);
  const you = youCard(who, check);
  const orders = ordersCard(who, ended);
  const holds = holdsCard();
  const inspector = inspectorCard(check);
  tell();
  show(h('div', { class: 'columns' },
    h('div', { class: 'column' }, orders.element, you.element),
    h('div', { class: 'column' }, holds.element, inspector.element)), you, orders, holds, inspector);
}

// While this page signs out by itself, the end of the session is no news: it would flash by before the provider's page comes.
let leaving = false;

async function doSignOut(button) {
  button.disabled = leaving = true;
  try {
    await signOut();
  } catch (failure) {
    button.disabled = leaving = false;
    tell(`You are still signed in: ${failure.message}`);
  }
}

// ended is what a page does whose session is over: it hides what it showed and offers to sign in again.
function ended() {
  if (!shown || leaving) return;
  showSignedOut();
  tell(h('strong', {}, 'You were signed out.'), ' The session ended elsewhere, or ran out. ', h('a', { href: signInURL() }, 'Sign in again'));
  say('You were signed out.');
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

// showState shows who is signed in, now.
function showState(who) {
  if (who.session.id !== shown) showSignedIn(who);
  else parts.forEach((part) => part.update?.(who));
  if (notice.dataset.passing) tell();
  delete notice.dataset.passing;
}

// pass tells what the next state takes back.
function pass(...content) {
  notice.dataset.passing = 'yes';
  tell(...content);
}

function warn(seconds) {
  pass(`You will be signed out in ${Math.max(1, seconds)} s. `, h('button', { type: 'button', class: 'link', onclick: () => keepAlive().then(check, check) }, 'Stay signed in'));
  say('You will be signed out soon.');
}

// check asks who is signed in and shows it. An outage is not a sign-out: the page stays as it is, and tries again.
async function check() {
  clearTimeout(retry);
  try {
    const who = await user();
    if (!who.authenticated) return shown ? ended() : shown === '' || showSignedOut();
    showState(who);
    events.open();
  } catch (failure) {
    pass(failure.message, ' ', h('button', { type: 'button', class: 'link', onclick: check }, 'Try again'));
    main.setAttribute('aria-busy', 'false');
    retry = setTimeout(check, retrySeconds * 1000);
  }
}

// A page from the back-forward cache may show somebody who has signed out since.
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
document.addEventListener('visibilitychange', () => {
  parts.forEach((part) => part.visible?.(!document.hidden));
  if (document.hidden) events.close();
  else check();
});
check();
