// A provider that we did not write, as a process: npm oidc-provider on loopback, with faults and a journal.
//
//   OP_HOST      address and host name, default 127.0.0.1
//   OP_PORT      default 0: a free one
//   OP_ISSUER    where the others find it, if something stands in front; default http://host:port
//   OP_CLIENTS   JSON array of client metadata
//   OP_TTL       JSON, seconds: {"AccessToken": 300, …}
//
// It prints one line when it is ready, {"ready":true,"issuer":…,"port":…}, and ends when its standard input does,
// so that it never outlives the test that started it.
import crypto from 'node:crypto';
import http from 'node:http';
import { createControl } from './control.mjs';
import { createFaults, hold } from './faults.mjs';
import { createJournal } from './journal.mjs';
import { interaction } from './pages.mjs';
import { buildProvider, newKey } from './provider.mjs';
import { createStore } from './store.mjs';

const host = process.env.OP_HOST ?? '127.0.0.1';
const op = {
  clients: JSON.parse(process.env.OP_CLIENTS ?? '[]'),
  settings: { ttl: { AccessToken: 300, IdToken: 300, RefreshToken: 86400, ...JSON.parse(process.env.OP_TTL ?? '{}') }, users: {}, resources: {}, acr: {} },
  store: createStore(),
  faults: createFaults(),
  journal: createJournal(),
  keys: [newKey(1)],
  cookieKey: crypto.randomBytes(32).toString('hex'),
};

const build = () => {
  op.provider = buildProvider(op);
  op.callback = op.provider.callback();
};

// rotate signs with a new key and keeps the old one published, as providers do.
op.rotate = () => {
  op.keys = [newKey(op.keys.length + 1), ...op.keys];
  build();
};

async function read(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

// later keeps the answer back until it may go out, so that a fault can come between the processing and the answer.
function later(res) {
  const chunks = [];
  const { end } = res;
  const finished = new Promise((resolve) => {
    res.write = (chunk) => { chunks.push(Buffer.from(chunk)); return true; };
    res.end = (chunk) => { if (chunk) chunks.push(Buffer.from(chunk)); resolve(); return res; };
  });
  return { finished, body: () => Buffer.concat(chunks), send: () => end.call(res, Buffer.concat(chunks)) };
}

const parse = (text) => {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
};

async function exchange(req, res) {
  const url = new URL(req.url, 'http://op');
  const text = await read(req);
  if (url.pathname.startsWith('/control/')) return control(req, res, text);

  const note = { method: req.method, path: url.pathname, query: url.searchParams, form: new URLSearchParams(text), answer: {} };
  const fault = op.faults.take(url.pathname, note.form);
  if (fault?.hold === 'before') await hold(fault);
  if (fault?.status) {
    op.journal.request({ ...note, status: fault.status });
    res.writeHead(fault.status, { 'Content-Type': 'application/json', ...fault.headers });
    return res.end(fault.body ?? '{}');
  }
  if (fault?.drop && !fault.hold) return req.socket.destroy();

  req.body = text;
  const answer = later(res);
  const handled = url.pathname.startsWith('/interaction/')
    ? interaction(op, req, res, note.form) : op.callback(req, res);
  await Promise.all([handled, answer.finished]);
  op.journal.request({
    ...note, status: res.statusCode, location: res.getHeader('location'), answer: parse(answer.body()), detail: res.grantError, sub: res.grantSub,
  });
  if (fault?.hold === 'after') await hold(fault);
  if (fault?.drop) return req.socket.destroy();
  return answer.send();
}

const control = createControl(op);
const server = http.createServer((req, res) => {
  exchange(req, res).catch((err) => {
    console.error(err);
    req.socket.destroy();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.OP_PORT ?? 0), host, () => {
  const { port } = server.address();
  op.issuer = process.env.OP_ISSUER ?? `http://${host}:${port}`;
  build();
  console.log(JSON.stringify({ ready: true, issuer: op.issuer, port }));
});

process.stdin.on('end', () => process.exit(0)).resume();
