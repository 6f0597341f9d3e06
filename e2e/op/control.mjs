// The endpoints under /control, by which the tests steer the provider. They are no part of OpenID Connect.
//
//   GET  /control/requests[?grant_type=…&path=…]  what was asked
//   GET  /control/secrets                         every credential seen or issued
//   GET  /control/sids?sub=…                      the user's sessions here, as the clients know them
//   POST /control/faults {…}                      adds a fault (faults.mjs), answers its id
//   GET  /control/faults/{id}/arrived             answers when a request is held by it
//   POST /control/faults/{id}/release             lets the held requests go on
//   DELETE /control/faults                        ends all faults
//   POST /control/settings {ttl: {…}, users: {…}, resources: {…}, acr: {…}} merges lifetimes in seconds, users' claims, the scopes of resources,
//                                                 and what becomes of acr_values (ignored) and of the time of a sign-in (late, in seconds)
//   POST /control/rotate                          signs with a new key from now on
//   POST /control/logout {sub}                    ends the user's sessions here and tells the clients, answers what they said
import { thumbprint } from './journal.mjs';

// createControl returns the handler; op holds the parts that server.mjs wired.
export function createControl(op) {
  const routes = {
    'GET requests': (url) => op.journal.requests.filter((r) => [...url.searchParams].every(([k, v]) => r[k] === v)),
    'GET secrets': () => op.journal.secrets(),
    'GET sids': (url) => op.store.sessions().filter((s) => s.accountId === url.searchParams.get('sub'))
      .flatMap(({ authorizations }) => Object.values(authorizations ?? {}).map(({ sid }) => sid)),
    'GET reuses': () => ({ count: op.journal.reuses() }),
    'POST faults': (url, body) => ({ id: op.faults.add(body).id }),
    'DELETE faults': () => op.faults.clear(),
    'POST settings': (url, body) => {
      Object.assign(op.settings.ttl, body.ttl);
      Object.assign(op.settings.users, body.users);
      Object.assign(op.settings.resources, body.resources);
      Object.assign(op.settings.acr, body.acr);
    },
    'POST rotate': () => op.rotate(),
    'POST logout': (url, body) => logout(op, body.sub),
  };

  return async (req, res, body) => {
    const url = new URL(req.url, 'http://control');
    const name = url.pathname.slice('/control/'.length);
    const [, id, event] = name.match(/^faults\/(\d+)\/(arrived|release)$/) ?? [];
    let answer;
    if (event === 'arrived') {
      await op.faults.find(id).arrived;
    } else if (event === 'release') {
      op.faults.find(id).release();
    } else if (routes[`${req.method} ${name}`]) {
      answer = await routes[`${req.method} ${name}`](url, body ? JSON.parse(body) : {});
    } else {
      res.statusCode = 404;
    }
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify(answer ?? {}));
  };
}

// logout ends every session of sub at the provider and sends the back-channel logouts, as a provider's own
// sign-out page does.
async function logout(op, sub) {
  const told = [];
  const { provider } = op;
  for (const { id, authorizations } of op.store.sessions().filter((s) => s.accountId === sub)) {
    for (const [clientId, { sid }] of Object.entries(authorizations ?? {})) {
      const client = await provider.Client.find(clientId);
      if (!client.backchannelLogoutUri) continue;
      const said = await client.backchannelLogout(sub, sid).then(() => 'ok', (err) => err.message);
      told.push({ client: clientId, sid: thumbprint(sid), said });
    }
    const session = await provider.Session.find(id);
    if (session) await session.destroy();
  }
  return told;
}
