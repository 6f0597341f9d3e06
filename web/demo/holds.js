// The card that looks at what a script could steal from this browser.
import { h, card } from './dom.js';

const places = [
  ['document.cookie', () => document.cookie],
  ['localStorage', () => keys(localStorage)],
  ['sessionStorage', () => keys(sessionStorage)],
];

const keys = (storage) => Object.keys(storage).join(', ');

export function holdsCard() {
  const rows = places.map(([name, read]) => {
    const value = h('span', {});
    return { read, value, element: h('div', {}, h('dt', {}, h('code', {}, name)), h('dd', {}, value)) };
  });
  function look() {
    for (const { read, value } of rows) {
      const found = read();
      const text = found || 'empty';
      if (value.textContent !== text) value.textContent = text;
      value.className = found ? 'found' : 'empty';
    }
  }
  const element = card('holds', 'What this browser holds',
    h('p', {}, 'Nothing that a script could take: no token, no name.'),
    h('dl', { class: 'facts' }, rows.map((row) => row.element)),
    h('details', {}, h('summary', {}, 'And the cookie?'),
      h('p', {}, 'Once you are signed in there is one, ', h('code', {}, '__Host-Http-session'), ': 32 random bytes, a ticket. It is HttpOnly, so scripts cannot read it, and SameSite=Strict, so other sites cannot use it. Your browser’s developer tools show it under Storage.'),
      h('p', {}, 'The tokens are on the server, sealed with that very ticket: without it, not even the server can open them.')));
  const timer = setInterval(look, 1000);
  look();
  return { element, stop() { clearInterval(timer); } };
}
