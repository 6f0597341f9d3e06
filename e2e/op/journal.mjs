// What the provider was asked, and every credential that it saw or gave out. Tests read from it how many refreshes there
// were; the scanner learns from it what must not turn up anywhere else.
import crypto from 'node:crypto';

const REQUESTS = 1_000_000;
const SECRETS = 100_000;

export const thumbprint = (value) => (value ? crypto.hash('sha256', value, 'base64url').slice(0, 12) : undefined);

export function createJournal() {
  const requests = [];
  const secrets = new Map(); // value -> kind

  const learn = (kind, value) => {
    if (value && secrets.size < SECRETS) secrets.set(value, kind);
  };

  // request notes one finished exchange of the provider.
  const request = ({ method, path, query, form, status, location, answer, detail, sub }) => {
    if (requests.length >= REQUESTS) requests.shift();
    requests.push({
      method,
      path,
      status,
      grant_type: form.get('grant_type') ?? undefined,
      refresh: thumbprint(form.get('refresh_token')),
      code: thumbprint(form.get('code')),
      token: thumbprint(form.get('token')),
      token_type_hint: form.get('token_type_hint') ?? undefined,
      given_refresh: thumbprint(answer.refresh_token),
      given_access: thumbprint(answer.access_token),
      expires_at: answer.expires_in ? Date.now() + answer.expires_in * 1000 : undefined,
      error: answer.error,
      detail,
      sub,
      scope: query.get('scope') ?? undefined,
      resource: [...query.getAll('resource'), ...form.getAll('resource')],
      prompt: query.get('prompt') ?? undefined,
      code_challenge: query.get('code_challenge') ?? undefined,
      code_challenge_method: query.get('code_challenge_method') ?? undefined,
      verifier_challenge: form.get('code_verifier')
        ? crypto.hash('sha256', form.get('code_verifier'), 'base64url') : undefined,
      redirect_uri: query.get('redirect_uri') ?? form.get('redirect_uri') ?? undefined,
    });
    learn('code', form.get('code'));
    learn('code verifier', form.get('code_verifier'));
    learn('refresh token', form.get('refresh_token'));
    learn('refresh token', answer.refresh_token);
    learn('access token', answer.access_token);
    learn('ID token', answer.id_token);
    learn('state', query.get('state'));
    if (location?.includes('code=')) learn('code', new URL(location, 'http://x').searchParams.get('code'));
  };

  const reuses = () => requests.filter((r) => r.detail === 'refresh token already used').length;

  return {
    request, learn, requests, reuses,
    secrets: () => [...secrets].map(([value, kind]) => ({ kind, value })),
  };
}
