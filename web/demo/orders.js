// The card that does what an app does: list and create things through the proxied API.
import { h, card, say } from './dom.js';
import { call } from './api.js';

const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });
const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit' });

export function ordersCard(who, ended) {
  const list = h('div', { class: 'orders', 'aria-live': 'polite' });
  const form = h('form', { class: 'order-form', hidden: true, onsubmit: create });
  const outcome = h('div', { class: 'outcome', 'aria-live': 'polite' });
  const lead = h('p', {}, 'Loading…');

  // attempt runs an action on the API and shows how it failed, if it did.
  async function attempt(action, target) {
    target.setAttribute('aria-busy', 'true');
    try {
      return await action();
    } catch (failure) {
      if (failure.signedOut) return ended();
      if (target === list) lead.textContent = 'Not here at the moment.';
      const title = failure.status === 403 ? 'The API said no.' : 'That did not work.';
      target.replaceChildren(h('div', { class: failure.status === 403 ? 'message refused' : 'message failed' },
        h('strong', {}, title, failure.status ? h('span', { class: 'chip' }, failure.status) : null), h('p', {}, failure.message),
        failure.requestID && h('p', { class: 'hint' }, 'Reference ', h('code', {}, failure.requestID)),
        target === list && h('button', { type: 'button', class: 'button small plain', onclick: load }, 'Try again')));
    } finally {
      target.setAttribute('aria-busy', 'false');
    }
  }

  function load() {
    list.replaceChildren(...Array.from({ length: 3 }, () => h('div', { class: 'skeleton' })));
    return attempt(async () => show(await call('/api/orders')), list);
  }

  function show({ all, may_order: mayOrder, orders, catalogue }) {
    lead.textContent = all ? 'Everybody’s, because your role may see them.' : 'Yours alone: the API knows you by the token that Cloakroom added.';
    list.replaceChildren(orders.length ? table(orders, all) : h('p', { class: 'nothing' }, mayOrder ? 'No orders yet. Place the first one below.' : 'No orders yet.'));
    form.hidden = !mayOrder;
    if (form.childElementCount === 0) {
      form.append(
        h('label', { class: 'wide' }, 'Item', h('select', { name: 'item', required: true }, catalogue.map((c) => h('option', { value: c.id }, `${c.name} · ${money.format(c.cents / 100)}`)))),
        h('label', {}, 'Quantity', h('input', { name: 'quantity', type: 'number', min: 1, max: 99, value: 1, required: true, inputmode: 'numeric' })),
        h('button', { type: 'submit', class: 'button' }, 'Place order'));
    }
  }

  async function create(event) {
    event.preventDefault();
    const button = form.querySelector('button');
    const data = new FormData(form);
    button.disabled = true;
    outcome.replaceChildren();
    await attempt(async () => {
      const order = await call('/api/orders', { method: 'POST', body: { item: data.get('item'), quantity: Number(data.get('quantity')) } });
      show(await call('/api/orders'));
      say(`Order ${order.id} placed.`);
    }, outcome);
    button.disabled = false;
  }

  const report = h('button', { type: 'button', class: 'button small plain', onclick: async () => {
    report.disabled = true;
    await attempt(async () => {
      const r = await call('/api/reports/sales');
      outcome.replaceChildren(h('div', { class: 'message fine' }, h('strong', {}, 'Sales report'), h('p', {}, `${r.orders} orders, ${money.format(r.cents / 100)} in all.`)));
    }, outcome);
    report.disabled = false;
  } }, 'Open the sales report');

  const element = card('orders', 'Orders', lead, list, form,
    h('div', { class: 'row' }, report, h('span', { class: 'hint' }, 'for the role admin; yours: ', (who.roles ?? []).join(', ') || 'none')), outcome);
  load();
  return { element };
}

function table(orders, all) {
  return h('table', {}, h('thead', {}, h('tr', {},
    h('th', { scope: 'col' }, 'Order'), all && h('th', { scope: 'col' }, 'For'), h('th', { scope: 'col', class: 'number' }, 'Total'))),
  h('tbody', {}, orders.map((o) => h('tr', {},
    h('th', { scope: 'row' }, h('span', {}, `${o.quantity} × ${o.name}`), h('small', {}, `${o.id}, ${time.format(new Date(o.placed))}`)),
    all && h('td', {}, o.owner), h('td', { class: 'number' }, money.format(o.cents / 100))))));
}
