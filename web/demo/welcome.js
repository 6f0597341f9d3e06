// What nobody-signed-in sees: what this is, and the way in.
import { h } from './dom.js';

const stations = [
  ['Browser', 'holds a ticket', 'an HttpOnly cookie that scripts cannot read'],
  ['Cloakroom', 'keeps the coats', 'access, refresh and ID tokens, sealed'],
  ['API', 'sees the bearer token', 'fresh, and on its own requests only'],
];

export function welcome(signIn, holds) {
  return h('div', { class: 'welcome' },
    h('div', { class: 'entrance' }, h('section', { class: 'hero' },
      h('h1', {}, 'Leave your tokens at the door.'),
      h('p', { class: 'lead' }, 'This single-page app signs you in with OpenID Connect and calls an API with an access token. The token never gets here: the browser carries a ticket.'),
      h('p', {}, h('a', { class: 'button big', href: signIn }, 'Sign in')),
      h('p', { class: 'hint' }, 'No password: pick Ada, Grace or Alan, or type any name. Each may do different things.')), holds),
    h('ol', { class: 'stations' }, stations.map(([name, does, how]) => h('li', {}, h('strong', {}, name), h('span', {}, does), h('small', {}, how)))));
}
