// The card that says who is signed in, and for how long.
import { h, card, say, duration } from './dom.js';
import { keepAlive } from './api.js';

// The claims that the configuration lets out, in the order in which they are shown.
const labels = { name: 'Name', email: 'E-mail', sub: 'Subject', iss: 'Provider' };

export function youCard(who, check) {
  let session = who.session;
  let read = performance.now();
  const most = { expires_in: session.expires_in, idle_expires_in: session.idle_expires_in }; // as large as we have seen it
  const clocks = {
    idle_expires_in: clock('Signed out after a pause in'),
    expires_in: clock('Signed out in any case in'),
  };

  function tick() {
    const passed = (performance.now() - read) / 1000;
    let over = false;
    for (const [key, { bar, text }] of Object.entries(clocks)) {
      const left = session[key] - passed;
      most[key] = Math.max(most[key], session[key]);
      bar.max = most[key];
      bar.value = left;
      text.textContent = duration(left);
      over ||= left < -1;
    }
    if (over) {
      read = performance.now(); // ask once, not every second
      check();
    }
  }

  const stay = h('button', { type: 'button', class: 'button small plain', onclick: async () => {
    stay.disabled = true;
    try {
      await keepAlive();
      await check();
      say('The pause starts again.');
    } catch {
      await check();
    } finally {
      stay.disabled = false;
    }
  } }, 'I am still here');

  const provider = who.claims.iss;
  const element = card('you', 'Who you are',
    h('dl', { class: 'facts' },
      Object.keys(labels).filter((key) => key in who.claims).map((key) => h('div', {}, h('dt', {}, labels[key]), h('dd', {}, who.claims[key]))),
      h('div', {}, h('dt', {}, 'Roles'), h('dd', { class: 'chips' }, (who.roles ?? []).map((role) => h('span', { class: 'chip' }, role)))),
      h('div', {}, h('dt', {}, 'Session'), h('dd', {}, h('code', {}, session.id)))),
    Object.values(clocks).map((c) => c.element),
    h('div', { class: 'row' }, stay,
      provider && h('a', { href: provider, target: '_blank', rel: 'noopener noreferrer' }, 'Sign out at the provider instead'),
    ),
    provider && h('p', { class: 'hint' }, 'The provider then tells Cloakroom behind the scenes, and this page notices at once.'));

  const timer = setInterval(tick, 1000);
  tick();
  return {
    element,
    update(now) { session = now.session; read = performance.now(); tick(); },
    stop() { clearInterval(timer); },
  };
}

function clock(label) {
  const bar = h('meter', { min: 0, 'aria-label': label });
  const text = h('output', {});
  return { bar, text, element: h('div', { class: 'clock' }, h('span', {}, label), text, bar) };
}
