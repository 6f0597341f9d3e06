// The card that shows what arrived at the API, live, by server-sent events through the proxy.
import { h, card } from './dom.js';

const keep = 12;
const away = 60_000; // after this long without a touch, a stream that ends is not opened again: it would keep the session from its pause
const touches = ['pointermove', 'pointerdown', 'keydown'];
const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function inspectorCard(check) {
  let source, lastToken, touched = performance.now();
  const feed = h('ol', { class: 'feed' });
  const state = h('span', { class: 'live' }, 'connecting');
  const empty = h('p', { class: 'nothing' }, 'Nothing yet.');

  function connect() {
    source?.close();
    source = new EventSource('/api/inspector');
    source.addEventListener('open', () => setState('live'));
    source.addEventListener('request', (event) => add(JSON.parse(event.data)));
    source.addEventListener('error', () => {
      setState('waiting');
      if (performance.now() - touched > away) pause();
      else if (source.readyState === EventSource.CLOSED) check(); // refused: signed out, or an outage
    });
  }

  function pause() {
    source.close();
    setState('paused');
  }

  function touch() {
    touched = performance.now();
    if (state.textContent === 'paused' && !document.hidden) connect();
  }

  function setState(text) {
    state.textContent = text;
    state.classList.toggle('on', text === 'live');
  }

  function add(seen) {
    if (feed.querySelector(`[data-id="${CSS.escape(seen.id)}"]`)) return; // sent again after a reconnect
    empty.hidden = true;
    const fresh = lastToken !== undefined && seen.token !== lastToken;
    lastToken = seen.token;
    feed.prepend(entry(seen, fresh));
    while (feed.childElementCount > keep) feed.lastElementChild.remove();
  }

  const element = card('inspector', 'What the API received',
    h('p', {}, 'Every request of yours, with the bearer token that Cloakroom put on it, shown by its fingerprint only. ', state),
    empty, feed);
  touches.forEach((name) => addEventListener(name, touch, { passive: true }));
  connect();
  return {
    element,
    stop() {
      source.close();
      touches.forEach((name) => removeEventListener(name, touch));
    },
    update() { if (source.readyState === EventSource.CLOSED && state.textContent !== 'paused') connect(); },
    visible(yes) { if (yes) touch(); else pause(); },
  };
}

function entry(seen, fresh) {
  return h('li', { 'data-id': seen.id }, h('details', {},
    h('summary', {},
      h('span', { class: 'verb' }, seen.method), h('code', { class: 'path' }, seen.path),
      h('span', { class: seen.status < 400 ? 'chip good' : 'chip bad' }, seen.status),
      h('small', {}, time.format(new Date(seen.time)), fresh && h('span', { class: 'chip' }, 'refreshed token'))),
    h('dl', { class: 'headers' }, Object.entries(seen.headers).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
      h('div', { class: 'absent' }, h('dt', {}, 'Cookie'), h('dd', {}, seen.cookie ? 'arrived!' : 'did not arrive')))));
}
