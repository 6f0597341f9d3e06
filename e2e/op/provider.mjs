// oidc-provider as the tests want it: one confidential client, strict PKCE, every refresh token used once and its
// whole family revoked when it is seen again, back-channel logout to loopback.
import crypto from 'node:crypto';
import Provider, { errors, interactionPolicy } from 'oidc-provider';

// newKey makes a signing key; the key ID tells one rotation from the next.
export function newKey(n) {
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${n}`, alg: 'RS256', use: 'sig' };
}

// policy signs users in again for an acr that they have not signed in with, unless the tests' settings say that nobody looks at acr_values.
function policy(settings) {
  const base = interactionPolicy.base();
  base.get('login').checks.add(new interactionPolicy.Check('acr_values', 'a sign-in of another kind is wanted', ({ oidc }) => {
    const wanted = oidc.params.acr_values?.split(' ');
    const again = wanted && !settings.acr.ignored && !oidc.result?.login && !wanted.includes(oidc.session.acr);
    return again ? interactionPolicy.Check.REQUEST_PROMPT : interactionPolicy.Check.NO_NEED_TO_PROMPT;
  }));
  return base;
}

// buildProvider returns a provider on the given store. Tests rotate its keys by building a second one on the same store.
export function buildProvider({ issuer, clients, keys, store, settings, cookieKey, journal }) {
  const provider = new Provider(issuer, {
    adapter: store.adapter,
    clients: clients.map((c) => ({
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      backchannel_logout_session_required: Boolean(c.backchannel_logout_uri),
      ...c,
    })),
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name', 'picture', 'groups'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // name, email and groups come in the ID token
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: async (ctx, sub) => ({
      accountId: sub,
      claims: async () => ({
        sub, name: sub, email: `${sub}@example.test`, email_verified: true, groups: ['customer'], ...settings.users[sub],
      }),
    }),
    loadExistingGrant,
    acrValues: ['urn:pwd', 'urn:mfa'],
    interactions: { policy: policy(settings), url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      clientCredentials: { enabled: true },
      // The resources that the tests' settings name, each with its scopes; tokens for them are JWTs. Without `resource` nothing changes.
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf,
        useGrantedResource: () => false,
        getResourceServerInfo: (ctx, resource) => {
          const scope = settings.resources[resource];
          if (!scope) throw new errors.InvalidTarget();
          return { scope, audience: resource, accessTokenTTL: settings.ttl.AccessToken, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
        },
      },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
    },
    ttl: {
      AccessToken: () => settings.ttl.AccessToken,
      IdToken: () => settings.ttl.IdToken,
      RefreshToken: () => settings.ttl.RefreshToken,
      AuthorizationCode: () => 60,
      Grant: () => 86400,
      Interaction: () => 600,
      Session: () => 86400,
    },
    // The package's dispatcher refuses loopback, where the tests' relying party lives.
    fetch: (url, { dispatcher, ...options }) => {
      if (options.body instanceof URLSearchParams) journal.learn('logout token', options.body.get('logout_token'));
      return fetch(url, options);
    },
  });
  provider.on('grant.error', (ctx, err) => {
    ctx.res.grantError = err.error_detail ?? err.message;
  });
  provider.on('grant.success', (ctx) => {
    ctx.res.grantSub = ctx.oidc.entities.AccessToken?.accountId;
  });
  return provider;
}

// loadExistingGrant consents to whatever a client asks for: nobody is there to click.
async function loadExistingGrant(ctx) {
  const { client, session, params } = ctx.oidc;
  const found = session.grantIdFor(client.clientId);
  const grant = (found && await ctx.oidc.provider.Grant.find(found))
    || new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  for (const [resource, server] of Object.entries(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(resource, server.scope);
  await grant.save();
  return grant;
}

async function logoutSource(ctx, form) {
  ctx.body = `<!doctype html><title>Sign out at the provider</title>${form}
<button autofocus type="submit" form="op.logoutForm" value="yes" name="logout">Sign out</button>`;
}

async function postLogoutSuccessSource(ctx) {
  ctx.body = '<!doctype html><title>Signed out at the provider</title><p>Signed out at the provider</p>';
}
