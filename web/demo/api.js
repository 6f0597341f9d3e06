// Talking to this app's own origin. There is no token here to send: the browser adds its cookie by itself, and
// Cloakroom swaps it for the bearer token on the way to the API.

// Failure is an answer that is not a success. `signedOut` says that Cloakroom, not the API, refused it for want of a session.
export class Failure extends Error {
  constructor(status, body, ours) {
    super(body?.detail || body?.message || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.ours = ours; // made by Cloakroom itself: X-Cloakroom: problem
    this.login = body?.login;
    this.requestID = body?.request_id;
    this.signedOut = ours && status === 401;
  }
}

// call fetches a path of this origin and returns its JSON.
export async function call(path, { method = 'GET', body } = {}) {
  const headers = { Accept: 'application/json', 'X-CSRF': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(15000) });
  } catch {
    throw new Failure(0, { message: 'The server cannot be reached. Is the demo still running?' }, false);
  }
  const json = response.headers.get('Content-Type')?.includes('json') ? await response.json().catch(() => null) : null;
  if (!response.ok) throw new Failure(response.status, json, response.headers.get('X-Cloakroom') === 'problem');
  return json;
}

export const user = () => call('/bff/user');
export const keepAlive = () => call('/bff/keepalive', { method: 'POST' });

// signInURL starts a sign-in that comes back to this page.
export function signInURL(login = '/bff/login') {
  const here = location.pathname + location.search;
  const to = new URL(login, location.origin); // its query may say what kind of sign-in is wanted
  to.searchParams.set('return_to', here.startsWith('/bff') ? '/' : here);
  return to.pathname + to.search;
}

// signOut ends the session and moves on to where the server says, which is the provider's own sign-out.
export async function signOut() {
  const { location: next } = await call('/bff/logout', { method: 'POST' });
  location.assign(next);
}
